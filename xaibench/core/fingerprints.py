"""Fingerprints of what made a result: values, files and code."""

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent.parent
# These carry results about and compute nothing in them.
_CARRIERS = frozenset({"archive", "contract", "errors", "fingerprints", "intact", "layout", "logs",
                       "pace", "plugin", "progress", "registry", "roots", "screen", "sealed",
                       "spec", "store", "suggest"})  # fmt: skip


def checksum(path: Path) -> str:
    """Return the file's sha256, or an empty string if there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(*parts: Any) -> str:
    """Return a short sha256 of JSON-like values."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def code_of(*places: str | Path) -> str:
    """Return a fingerprint of source files: paths, or names below the package (``core/maps``).

    The modules of ``xaibench.core`` that a file imports count, too, and those that they import.
    Docstrings, comments and layout don't, so that tidying up costs nobody a rerun.
    """
    found: dict[Path, None] = {}
    for place in places:
        _follow(_PACKAGE / f"{place}.py" if isinstance(place, str) else place, found)
    return fingerprint([_read(path)[0] for path in found])


def _follow(path: Path, found: dict[Path, None]) -> None:
    if path in found:
        return
    found[path] = None
    for name in _read(path)[1]:
        _follow(_PACKAGE.joinpath("core", *name.split(".")).with_suffix(".py"), found)


@cache
def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return a fingerprint of the code and the names of the core modules that it imports."""
    tree = ast.parse(path.read_text("utf-8"))
    imported = sorted(set(_core_imports(tree)) - _CARRIERS)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            first = body[0].value
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                body[0].value = ast.Constant("")
    return fingerprint(ast.dump(tree)), tuple(imported)


def _core_imports(tree: ast.AST) -> Iterator[str]:
    prefix = "xaibench.core."
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(prefix):
            yield str(node.module).removeprefix(prefix)
