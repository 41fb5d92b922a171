"""Who imports whom, read from the package's files."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

_PACKAGE = Path(__file__).parents[2] / "xaibench"
# The package itself and its entry point hold no code of a layer.
_NO_LAYER = {"", "__init__", "__main__"}
Imports = Mapping[str, set[str]]


def imports_of_layers() -> Imports:
    """Return the layers that each layer imports."""
    return _imports(_PACKAGE, "xaibench")


def parts_of(layer: str) -> list[list[str]]:
    """Return the parts of a layer, those that need the others first; empty where it has none.

    Each row uses the rows after it.
    """
    folder = _PACKAGE / layer
    names = [path.parent.name for path in sorted(folder.glob("*/__init__.py"))]
    everything = _imports(folder, f"xaibench.{layer}")
    # Single files of a layer are its hall; only the order of its parts is shown.
    within = {name: everything[name] & set(names) for name in names if name in everything}
    depth = {name: _depth(name, within) for name in names}
    rows = [[n for n in names if depth[n] == d] for d in sorted(set(depth.values()), reverse=True)]
    return rows if len(names) > 1 else []


def needed(imports: Imports) -> list[tuple[str, str]]:
    """Return the arrows to draw: none that a longer way of other arrows makes plain."""
    return [
        (above, below)
        for above, all_below in imports.items()
        for below in sorted(all_below)
        if not any(below in _reach(other, imports) for other in all_below - {below})
    ]


def _imports(folder: Path, package: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        layer = path.relative_to(folder).with_suffix("").parts[0]
        if layer not in _NO_LAYER:
            found.setdefault(layer, set()).update(_imported(path, package))
    return {layer: below & set(found) - {layer} for layer, below in found.items()}


def _imported(path: Path, package: str) -> Iterator[str]:
    """Return the first names below ``package`` that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith(f"{package}."):
                yield name.removeprefix(f"{package}.").split(".")[0]


def _reach(layer: str, imports: Imports) -> set[str]:
    below = imports.get(layer, set())
    return below.union(*(_reach(each, imports) for each in below))


def _depth(name: str, imports: Imports) -> int:
    return 1 + max((_depth(below, imports) for below in imports.get(name, set())), default=0)
