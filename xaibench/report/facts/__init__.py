"""What a run left on disk, read and checked."""
