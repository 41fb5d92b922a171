"""One file, one saliency method."""
