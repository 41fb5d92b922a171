"""From files to samples: downloads, archives, annotations, classes, near-duplicates."""
