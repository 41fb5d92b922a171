"""One file, one study: runs that differ in one thing, and the question that they answer."""
