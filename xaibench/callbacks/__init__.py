"""Callbacks: who is told of a run while it goes on, such as loggers."""
