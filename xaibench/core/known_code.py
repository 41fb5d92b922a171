"""What source files hold, by their content, in the user's cache: each is parsed once."""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from xaibench.core.imports import PACKAGE

Told = tuple[str, list[str]]
"""A fingerprint of the code, and the full names of what it imports."""
_MOST = 5000  # states of files that are kept
_fresh: dict[str, Told] = {}


def recall_code(content: bytes, package: str, parse: Callable[[bytes, str], Told]) -> Told:
    """Return what a source file holds; it is parsed only if nobody has done so before.

    Args:
        content: of the file.
        package: that it belongs to, which relative imports depend on.
        parse: tells what it holds.
    """
    key = hashlib.sha256(content + package.encode()).hexdigest()
    if key not in _known():
        _known()[key] = _fresh[key] = parse(content, package)
    code, names = _known()[key]
    return code, names


def keep_code() -> None:
    """Keep what was parsed; a cache that can't be written costs time and nothing else."""
    if not _fresh:
        return
    known = _known() if len(_known()) < _MOST else _fresh
    with suppress(OSError, RuntimeError):
        place = _place()
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(known), "utf-8")
        beside.replace(place)
    _fresh.clear()


def cache_folder() -> Path:
    """Return where the user's caches lie: below ``$XDG_CACHE_HOME`` or where the system has them.

    Raises:
        RuntimeError: the user has no home.
    """
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named) / "xaibench"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "xaibench"
    caches = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return Path.home() / caches / "xaibench"


@cache
def _known() -> dict[str, Told]:
    with suppress(OSError, RuntimeError, ValueError):
        stored = json.loads(_place().read_bytes())
        return {key: (str(code), list(map(str, names))) for key, (code, names) in stored.items()}
    return {}


def _place() -> Path:
    """Return the file of what this code told under this version of Python."""
    own = [(PACKAGE / "core" / f"{name}.py").read_bytes() for name in ("fingerprints", "imports")]
    version = hashlib.sha256(b"".join(own) + sys.version.encode()).hexdigest()[:16]
    return cache_folder() / "code" / f"{version}.json"
