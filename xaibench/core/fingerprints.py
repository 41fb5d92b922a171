"""Fingerprints of what made a result: values, files and code."""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from xaibench.core.imports import PACKAGE, imported_files, imported_names, package_of
from xaibench.core.known_code import Told, keep_code, recall_code

# These carry results about and compute nothing in them.
_CARRIERS = frozenset({
    "aliases", "contents", "contract", "csv_cells", "errors", "files", "fingerprints", "imports",
    "known_code", "logs", "markdown", "pace", "plugin", "progress", "registry", "roots", "screen",
    "spec", "store", "suggest", "threads", "visible",
})  # fmt: skip
_DOWNLOADS = frozenset({"archives", "fetch", "unpack", "vision_fetch"})  # what comes is hashed


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

    What a file imports counts, too, and what that imports: modules of xaibench that compute, and a
    user's own modules (`imports.imported_files`). Docstrings, comments, layout and the version of
    Python don't, so that tidying up costs nobody a rerun.
    """
    found: dict[Path, None] = {}
    for place in places:
        _follow(PACKAGE / f"{place}.py" if isinstance(place, str) else place, found)
    keep_code()
    return fingerprint([_read(path)[0] for path in found])


def _follow(path: Path, found: dict[Path, None]) -> None:
    if path in found:
        return
    found[path] = None
    for imported in _read(path)[1]:
        _follow(imported, found)


@cache
def _read(path: Path) -> tuple[str, tuple[Path, ...]]:
    """Return a fingerprint of the code, and the files that it imports and that count."""
    code, names = recall_code(path.read_bytes(), package_of(path)[1], _parse)
    imported = imported_files(path, names)
    return code, tuple(each for each in imported if not _carries(each))


def _parse(content: bytes, package: str) -> Told:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # compiled, or nothing that runs
        return hashlib.sha256(content).hexdigest(), []
    return fingerprint(_outline(tree)), sorted(set(imported_names(tree, package)))


def _carries(path: Path) -> bool:
    if path.parent == PACKAGE / "core" / "reading":
        return path.stem in _DOWNLOADS
    return path.parent == PACKAGE / "core" and path.stem in _CARRIERS


def _outline(node: object) -> object:
    """Return code as plain values, without what later versions of Python add to its tree."""
    if isinstance(node, list):
        return [_outline(each) for each in node]
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__} {node!r}"
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE.name}."):
        return sorted(alias.name for alias in node.names)  # where it lies makes no number
    if isinstance(node, ast.FunctionDef):
        node = _as_first_named(node)
    fields = dict(ast.iter_fields(node))
    body = fields.get("body")
    if isinstance(body, list) and body and _is_text(body[0]):
        fields["body"] = body[1:]  # the docstring
    told = {name: _outline(value) for name, value in fields.items() if value not in (None, [])}
    return [type(node).__name__, told]


def _is_text(node: object) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _as_first_named(function: ast.FunctionDef) -> ast.FunctionDef:
    """Return a plugin under the first of its ``aliases``, so that a new name changes nothing.

    Nor does what a metric is called on boards.
    """
    fields, decorators = dict(ast.iter_fields(function)), list(function.decorator_list)
    for place, call in enumerate(decorators):
        if isinstance(call, ast.Call):
            told = [word.value for word in call.keywords if word.arg == "aliases"]
            names = [n for value in told for n in ast.walk(value) if isinstance(n, ast.Constant)]
            if names:
                fields["name"] = str(names[0].value)
            named = ("aliases", "title") if names else ("title",)
            rest = [word for word in call.keywords if word.arg not in named]
            decorators[place] = ast.Call(call.func, call.args, rest)
    return ast.FunctionDef(**{**fields, "decorator_list": decorators})
