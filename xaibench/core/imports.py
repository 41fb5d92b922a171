"""Which source files a source file imports: those of its own making, not libraries."""

import ast
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
_NAME = PACKAGE.name
# These hold what a result is made by; the others carry it about, and name what counts themselves.
_ROOMS = ("core", "analyses", "datasets", "methods", "metrics", "models")


def imported_files(path: Path, names: Iterable[str]) -> list[Path]:
    """Return the files whose code runs when a file's imports do, sorted.

    Of xaibench these are the core and plugins. Of others: modules beside the file, the package
    that it belongs to, and whatever else of Python's search path is neither of the standard
    library nor installed. Imports within functions count, those by a computed name can't.

    Args:
        path: the file.
        names: full ones of what it imports (`imported_names`).
    """
    inside = path.is_relative_to(PACKAGE)
    root, _ = package_of(path)
    found: set[Path] = set()
    for name in names:
        if name.partition(".")[0] == _NAME:
            found |= _of_xaibench(name, anywhere=not inside)
        elif not inside:
            found |= _elsewhere(name, root, path.parent)
    return sorted(found - {path})


def package_of(path: Path) -> tuple[Path, str]:
    """Return the folder that a file's outermost package lies in, and the package's full name."""
    names: list[str] = []
    folder = path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(names)


def imported_names(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield the full names of what is imported; of ``from a import b`` both ``a`` and ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if node.level and package else []
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from filter(None, [base])
            yield from (f"{base}.{a.name}" if base else a.name for a in node.names)


def _of_xaibench(name: str, *, anywhere: bool) -> set[Path]:
    _, *parts = name.split(".")
    file = PACKAGE.joinpath(*parts).with_suffix(".py")
    counts = bool(parts) and (anywhere or parts[0] in _ROOMS)
    return {file} if counts and file.is_file() else set()


def _elsewhere(name: str, root: Path, beside: Path) -> set[Path]:
    own = name.partition(".")[0]
    if own in sys.stdlib_module_names:
        return set()
    files = set(_files_of(name, [str(beside), str(root), *sys.path]))
    return {file for file in files if _is_own(file, root / own, beside) or not _is_installed(file)}


def _files_of(name: str, search: Sequence[str]) -> Iterator[Path]:
    """Yield the files of a module and of the packages around it, without importing any."""
    parts, where = name.split("."), search
    for end in range(1, len(parts) + 1):
        each = ".".join(parts[:end])
        spec = getattr(sys.modules.get(each), "__spec__", None) or PathFinder.find_spec(each, where)
        if spec is None:
            return  # a name within the module
        if spec.has_location and spec.origin:
            yield Path(spec.origin)
        where = list(spec.submodule_search_locations or [])


def _is_own(file: Path, package: Path, beside: Path) -> bool:
    return file.parent == beside or (
        package in (beside, *beside.parents) and package in file.parents
    )


@cache
def _installed() -> tuple[Path, ...]:
    known = sysconfig.get_paths()
    places = [known[name] for name in ("purelib", "platlib", "stdlib", "platstdlib")]
    places += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple(Path(place).resolve() for place in places)


def _is_installed(file: Path) -> bool:
    return any(file.resolve().is_relative_to(place) for place in _installed())
