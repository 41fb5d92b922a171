"""What a run leaves on disk, and the only door to it."""
