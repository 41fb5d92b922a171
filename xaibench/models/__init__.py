"""One file, one architecture or one family of them."""
