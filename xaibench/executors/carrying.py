"""Carrying files to workers that don't see the output, and back what they made."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from xaibench.core.store import files_below, replacing
from xaibench.results.folder import ANALYSIS_FILE, CELL_FILE, MODEL_FILE, PART_FILE

RECORDS = (PART_FILE, MODEL_FILE, ANALYSIS_FILE, CELL_FILE)
"""Files that say that others are whole: they are written last."""
_STAY = (".tmp", ".lock")
Files = dict[str, bytes]
"""Contents by path below the output."""
Stamp = tuple[int, int, int]
"""What differs once a file was written again."""


class Changes(NamedTuple):
    """What a task did to its output."""

    files: Files
    gone: tuple[str, ...]


def stamps_of(out: Path, *places: str) -> dict[str, Stamp]:
    """Return the stamps of files, by path below ``out``.

    Args:
        out: the output.
        places: files and folders below it to look at; all of it by default.
    """
    return dict(_walk(out, places or (".",)))


def pack(out: Path, place: str) -> Files:
    """Return the files at a place below ``out``; none where nothing is."""
    packed = {}
    for name in stamps_of(out, place):
        try:
            packed[name] = (out / name).read_bytes()
        except FileNotFoundError:  # another run has replaced the folder's files just now
            continue
    return packed


def unpack(files: Files, out: Path) -> None:
    """Write files into a fresh folder."""
    for name, content in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)


def changes_since(before: dict[str, Stamp], out: Path) -> Changes:
    """Return what was written and removed in ``out`` since its stamps were taken."""
    after = stamps_of(out)
    written = {name: (out / name).read_bytes() for name in after if after[name] != before.get(name)}
    return Changes(written, tuple(sorted(before.keys() - after.keys())))


def apply(changes: Changes, out: Path) -> None:
    """Do to ``out`` what a task did elsewhere, each file all or nothing, records last.

    Raises:
        XaibenchError: a file can't be written.
    """
    for name in sorted(changes.files, key=_rank):
        if _rank(name) == 0:
            _write(out / name, changes.files[name])
    for name in changes.gone:
        (out / name).unlink(missing_ok=True)
    for name in sorted(filter(_rank, changes.files), key=_rank):
        _write(out / name, changes.files[name])


def _rank(name: str) -> int:
    last = Path(name).name
    return RECORDS.index(last) + 1 if last in RECORDS else 0


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _walk(out: Path, places: tuple[str, ...]) -> Iterator[tuple[str, Stamp]]:
    for place in places:
        start = out / place
        for path in files_below(start) if start.is_dir() else [start]:
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file() and path.suffix not in _STAY:
                stamp = found.st_size, found.st_mtime_ns, found.st_ino
                yield path.relative_to(out).as_posix(), stamp
