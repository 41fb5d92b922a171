"""From the names of files below a folder to classes, parts and annotations."""
