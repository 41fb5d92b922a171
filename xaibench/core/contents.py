"""What files hold: their sha256, remembered for as long as a file stays as it is."""

import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from stat import S_ISREG

from xaibench.core.fingerprints import checksum
from xaibench.core.known_code import cache_folder
from xaibench.core.progress import progress_bar
from xaibench.core.threads import map_by_threads, map_over_files

# A file that has just been written may be written again within one tick of its clock.
_SETTLED = 2 * 10**9
_THREADS = 8
_TABLE = """create table if not exists contents (device integer, inode integer, size integer,
    mtime integer, ctime integer, sha256 text, primary key (device, inode)) without rowid"""
_FIND = """select sha256 from contents
    where device = ? and inode = ? and size = ? and mtime = ? and ctime = ?"""
_KEEP = "insert or replace into contents values (?, ?, ?, ?, ?, ?)"
State = tuple[int, int, int, int, int]
"""Device, inode, size, mtime and ctime in nanoseconds."""
_known: dict[State, str] = {}


def contents_of(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the sha256 of files by their paths; empty where there is no file.

    A folder stands for the files in it, as some datasets name an archive's folder. What was read
    once is remembered in the user's cache by the file's state, so that images are read once,
    however many runs ask for them. The times are no part of what is returned.
    """
    wanted = list(dict.fromkeys(paths))
    states = dict(zip(wanted, map_over_files(_state, wanted, _THREADS), strict=True))
    inside = {path: _files_in(path) for path, state in states.items() if state is None}
    further = [file for files in inside.values() for file in files]
    states |= zip(further, map_over_files(_state, further, _THREADS), strict=True)
    found = _recall({state for state in states.values() if state})
    unread = {state: file for file, state in states.items() if state and state not in found}
    fresh = _read(unread) if unread else {}
    now = time.time_ns()
    _remember({s: sha for s, sha in fresh.items() if s[1] and now - max(s[3:]) > _SETTLED})
    found |= fresh
    sums = {file: found[state] if state else "" for file, state in states.items()}
    whole = {
        path: " ".join(f"{file.name}={sums[file]}" for file in files)
        for path, files in inside.items()
    }
    return {path: sums[path] or whole.get(path, "") for path in wanted}


def content_of(path: Path) -> str:
    """Return the sha256 of one file; empty where there is none."""
    return contents_of([path])[path]


def _read(files: Mapping[State, Path]) -> dict[State, str]:
    fresh = {}
    sums = map_by_threads(checksum, list(files.values()), _THREADS)
    with progress_bar("read", "contents of files", len(files)) as bar:
        for state, sha256 in zip(files, sums, strict=True):
            fresh[state] = sha256
            bar.advance()
    return fresh


def _files_in(path: Path) -> list[Path]:
    try:
        return [file for file in sorted(path.iterdir()) if file.is_file()]
    except (OSError, ValueError):
        return []


def _state(path: Path) -> State | None:
    try:
        about = path.stat()
    except (OSError, ValueError):
        return None
    if not S_ISREG(about.st_mode):
        return None
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _recall(states: Iterable[State]) -> dict[State, str]:
    found = {state: _known[state] for state in states if state in _known}
    left = [state for state in states if state not in found]
    if left:
        with suppress(sqlite3.Error, OSError, RuntimeError), closing(_open()) as cache:
            for state in left:
                if row := cache.execute(_FIND, state).fetchone():
                    found[state] = str(row[0])
        _known.update(found)
    return found


def _remember(fresh: Mapping[State, str]) -> None:
    """Keep checksums; a cache that can't be written costs time and nothing else."""
    _known.update(fresh)
    if fresh:
        with suppress(sqlite3.Error, OSError, RuntimeError), closing(_open()) as cache, cache:
            cache.executemany(_KEEP, [(*state, sha256) for state, sha256 in fresh.items()])


def _open() -> sqlite3.Connection:
    """Open the cache; one that is damaged is made anew."""
    place = cache_folder() / "contents.sqlite"
    place.parent.mkdir(parents=True, exist_ok=True)
    cache = sqlite3.connect(place, timeout=10)
    try:
        cache.execute(_TABLE)
    except sqlite3.OperationalError:  # locked, or a disk that is full or can't be written
        cache.close()
        raise
    except sqlite3.DatabaseError:
        cache.close()
        place.unlink()
        cache = sqlite3.connect(place, timeout=10)
        cache.execute(_TABLE)
    return cache
