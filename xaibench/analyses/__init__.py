"""One file, one analysis."""
