"""Checks that a method passes or fails; never a ranking."""
