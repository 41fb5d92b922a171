"""The names of files on disk are in one room, so that a change of format touches one place."""

import ast
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import xaibench
from xaibench.results import folder

PACKAGE = Path(xaibench.__file__).parent
NAMES = {
    name
    for key, value in vars(folder).items()
    if key.endswith("_FILE") or key.endswith("_FILES")
    for name in ([value] if isinstance(value, str) else value)
}
# The core can't look up: a log knows its own name, and images are told from what runs left.
EXEMPT = {"core/logs.py", "core/reading/folders/listing.py"}


def told_names(path):
    """Yield strings of a file that are a name on disk, or a pattern or path that ends in one."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            last = node.value.rpartition("/")[2]
            if " " not in node.value and (last in NAMES or fnmatchcase(last, "maps*.npz")):
                yield f"{path.relative_to(PACKAGE)}, line {node.lineno}: {node.value}"


@pytest.mark.slow
def test_the_names_of_files_on_disk_occur_in_one_room():
    files = [path for path in PACKAGE.rglob("*.py")
             if path.relative_to(PACKAGE).as_posix() not in EXEMPT
             and path.relative_to(PACKAGE).parts[0] != "results"]  # fmt: skip
    assert len(NAMES) > 20
    assert len(files) > 300
    assert [told for path in files for told in told_names(path)] == []
