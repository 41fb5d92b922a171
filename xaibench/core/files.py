"""Files by names that people wrote: whether they are there, and opening nothing else."""

import errno
import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO


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


def real_path(path: Path) -> Path:
    """Return a path without links; of those that lead to themselves as far as it goes.

    Before Python 3.13 ``Path.resolve`` raises RuntimeError there.
    """
    return Path(os.path.realpath(path))


def open_plain(path: Path) -> BinaryIO:
    """Open a file to read bytes; a pipe, which would wait for ever, or a device is none.

    Raises:
        OSError: it isn't there, can't be read, or is no plain file.
    """
    check_plain_file(path)
    return path.open("rb")


def read_plain(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        OSError: as `open_plain`.
    """
    with open_plain(path) as file:
        return file.read()


def check_plain_file(path: Path) -> None:
    """Make sure that a path, or what its link leads to, is a plain file.

    Raises:
        OSError: it isn't there, or is no plain file.
    """
    mode = path.stat().st_mode
    if not S_ISREG(mode) and not S_ISDIR(mode):  # of a folder the system itself says so
        raise OSError(errno.EINVAL, "it is a pipe, a socket or a device, not a file", str(path))
