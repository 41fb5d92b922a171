"""Whether files still are what was stored, and who is told if not."""

import json
import logging
import os
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import checksum, fingerprint
from xaibench.core.store import write_json
from xaibench.results.plain import is_below

_SEAL = "record_checksum"
_DAMAGED = "is damaged (it differs from its checksum)"
_REMEDY = "repeat the run's command: it is made again from what is stored"
_log = logging.getLogger(__name__)
_told: set[tuple[object, ...]] = set()


def write_record(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON that carries its own checksum, all or nothing.

    Raises:
        StorageError: the disk is full, or the folder can't be written.
    """
    write_json(path, {**content, _SEAL: fingerprint(content)})


def read_record(path: Path) -> dict[str, Any]:
    """Read a record; a missing one reads as empty, a damaged one too, and a warning names it."""
    try:
        about = path.stat()
        state = (about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        return dict(_record(path, *state))
    except OSError:
        return {}


def load_record(path: Path) -> dict[str, Any]:
    """Read a record that a report is made from; a missing one reads as empty.

    Raises:
        XaibenchError: it can't be read, or isn't what was written.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise XaibenchError(f"{path} can't be read ({_first_line(error)}); {_REMEDY}.") from error
    if not isinstance(content, dict):
        raise XaibenchError(f"{path} holds no JSON object; {_REMEDY}.")
    seal = content.pop(_SEAL, None)
    if seal not in (None, fingerprint(content)):
        raise XaibenchError(f"{path} {_DAMAGED}; {_REMEDY}.")
    return content


def is_intact(path: Path, sha256: object) -> bool:
    """Whether a file is there and has the checksum that was recorded; if not, a warning names it.

    A file that hasn't changed since it was looked at is read only once, as every part of a large
    cell asks for it.
    """
    try:
        about = path.stat()
    except OSError:
        return _tell(path, "is missing", sha256)
    state = (about.st_ino, about.st_size, about.st_mtime_ns)
    if _checksum(path, *state) == sha256:
        return True
    return _tell(path, _DAMAGED, sha256, *state)


def are_intact(folder: Path, sums: Mapping[str, object]) -> bool:
    """Whether all files of a folder are intact, by their names; each that isn't is named."""
    found = [is_below(name) and is_intact(folder / name, sha256) for name, sha256 in sums.items()]
    return all(found)


@lru_cache(maxsize=4096)
def _record(path: Path, *_state: int) -> dict[str, Any]:
    """Read a record once for as long as its file stays the same: every cell asks for its model."""
    stored = path.read_bytes()
    try:
        content = json.loads(stored)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict) and content.pop(_SEAL, "") == fingerprint(content):
        return content
    _tell(path, _DAMAGED, fingerprint(stored.hex()))
    return {}


@cache
def _checksum(path: Path, _inode: int, _size: int, _changed: int) -> str:
    return checksum(path)


def _tell(path: Path, what: str, *state: object) -> bool:
    if (path, *state) not in _told:
        _told.add((path, *state))
        _log.warning("%s %s: it doesn't count", os.fspath(path), what)
    return False


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
