"""Files that carry their own checksum: whole, or known to be damaged."""

import hashlib
from pathlib import Path

from xaibench.core.store import write_with

_SEAL = hashlib.sha256().digest_size


class DamagedError(Exception):
    """A sealed file isn't what was written."""


def write_sealed(path: Path, content: bytes) -> None:
    """Write content and its sha256, all or nothing.

    Raises:
        StorageError: the disk is full, or the folder can't be written.
    """
    seal = hashlib.sha256(content).digest()
    write_with(path, lambda file: file.write(content + seal))


def read_sealed(path: Path) -> bytes:
    """Return what was written.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: the file is cut off or altered.
    """
    stored = path.read_bytes()
    content, seal = stored[:-_SEAL], stored[-_SEAL:]
    if hashlib.sha256(content).digest() != seal:
        raise DamagedError(path)
    return content
