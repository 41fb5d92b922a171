"""Files that are either whole or absent."""

import errno
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any

from xaibench.core.errors import StorageError
from xaibench.core.files import read_plain
from xaibench.core.fingerprints import fingerprint
from xaibench.core.visible import visible, visible_json

_HOST = fingerprint(socket.gethostname())
_TEMPORARY = re.compile(r"\..+\.(?P<host>[0-9a-f]{16})\.(?P<process>[1-9][0-9]*)\.tmp", re.ASCII)
_DAY = 24 * 3600
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_watched: list[list[Path]] = []


def temporary_path(path: Path) -> Path:
    """Return where a file is written before it takes its place; `remove_leftovers` knows it."""
    return path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.tmp")


def is_full(error: OSError) -> bool:
    """Whether the disk, or what a user may take of it, is full."""
    return error.errno in _FULL


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Tell in one line what keeps the block from writing a file.

    Raises:
        StorageError: the disk is full, or the folder can't be written.
    """
    try:
        yield
    except OSError as error:
        remedy = "choose --out"
        if is_full(error):
            remedy = "make room, and repeat the command: it goes on from there"
        raise StorageError(
            f"{path} can't be written ({error.strerror or error}); {remedy}."
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; what is written there appears all at once, or never.

    Raises:
        StorageError: the disk is full, or the folder can't be written.
    """
    temporary = temporary_path(path)
    try:
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            settle(temporary, path)
    finally:
        with suppress(OSError):  # what went wrong above is what counts
            temporary.unlink(missing_ok=True)


@contextmanager
def written_files() -> Iterator[list[Path]]:
    """Give a list of the files that this process puts in their place in the block, as it does."""
    written: list[Path] = []
    _watched.append(written)
    try:
        yield written
    finally:
        _watched.remove(written)


def settle(temporary: Path, path: Path) -> None:
    """Put a finished file in its place, so that it stays there if the power fails.

    Raises:
        OSError: as the system says.
    """
    with temporary.open("r+b") as file:  # Windows flushes only what may be written
        os.fsync(file.fileno())
    temporary.replace(path)
    if os.name == "posix":  # elsewhere folders can't be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    for written in _watched:
        written.append(path)


def files_below(folder: Path, pattern: str = "*") -> Iterator[Path]:
    """Yield files below a folder by their names, in order, while others may remove some."""
    for place, folders, names in os.walk(folder):  # which passes over what has just gone
        folders.sort()
        yield from (Path(place, name) for name in sorted(names) if fnmatchcase(name, pattern))


def remove_leftovers(files: Iterable[Path]) -> None:
    """Delete those of the files that are ours and temporary, and whose process was killed.

    Nobody here can tell whether a process of another machine runs; its files go after a day. A
    name counts only if it is exactly one that `temporary_path` gives.
    """
    for path in files:
        if (match := _TEMPORARY.fullmatch(path.name)) is None:
            continue
        with suppress(OSError):  # another run may be as quick
            about = path.lstat()
            if match["host"] == _HOST:
                gone = not _runs(int(match["process"]))
            else:
                gone = time.time() - about.st_mtime > _DAY
            if gone and S_ISREG(about.st_mode):
                path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    if os.name != "posix":  # elsewhere there is no harmless signal to ask with
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_json(path: Path, content: Any) -> None:
    """Write JSON, all or nothing."""
    with replacing(path) as temporary:
        text = visible_json(json.dumps(content, indent=2, ensure_ascii=False))
        temporary.write_text(text + "\n", "utf-8")


def write_text(path: Path, text: str) -> None:
    """Write text for people, all or nothing; control characters are shown as escapes."""
    with replacing(path) as temporary:
        temporary.write_text(visible(text), "utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; a missing or damaged file reads as empty, so that it is made again."""
    try:
        content = json.loads(read_plain(path).decode("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_with(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let a function write to a binary file, all or nothing."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        write(file)


def folder_name(spec: str) -> str:
    """Turn a spec into a name that every file system takes.

    >>> folder_name("kfold:5"), folder_name("saliency_net[backbone=resnet18,loss=dice]")
    ('kfold-5', 'saliency_net-backbone=resnet18,loss=dice')
    """
    name, bracket, options = spec.partition("[")
    plain = name.replace(":", "-") + (f"-{options.removesuffix(']')}" if bracket else "")
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_=,.+") else "_" for c in plain)
    longest = 80
    if safe == plain and len(safe) <= longest and safe.strip("."):
        return safe
    return f"{safe[:longest]}-{fingerprint(spec)[:8]}"
