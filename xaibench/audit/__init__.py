"""What in a dataset would spoil the numbers."""
