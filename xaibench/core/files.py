"""Asking for files by names that people wrote."""

from pathlib import Path


def exists(path: Path) -> bool:
    """Whether there is a file or a folder of that name; none has one that is too long."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether there is a file of that name; one that is too long for any file names none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
