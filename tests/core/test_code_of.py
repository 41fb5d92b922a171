"""Fingerprints of code follow what a file imports, wherever that lies."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from xaibench.core import fingerprints, known_code
from xaibench.core.fingerprints import PACKAGE, code_of
from xaibench.core.imports import imported_files, imported_names


def names_in(code):
    return imported_names(ast.parse(code), "")


def fresh(*places):
    for cached in (fingerprints.code_of, fingerprints._read):
        cached.cache_clear()
    return code_of(*places)


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text), "utf-8")
    return folder


def changes(plugin, helper, old="VALUE = 1", new="VALUE = 2"):
    """Whether a change of the helper changes the plugin's fingerprint."""
    helper.write_text(old, "utf-8")
    before = fresh(plugin)
    helper.write_text(new, "utf-8")
    return fresh(plugin) != before


@pytest.mark.parametrize(
    "statement",
    ["import helper", "from helper import VALUE", "import helper as h", "import os, helper",
     "def f():\n    from helper import VALUE", "try:\n    import helper\nfinally:\n    0"],
)  # fmt: skip
def test_a_module_beside_a_plugin_file_counts(tmp_path, statement):
    write(tmp_path, plugin=statement, helper="")
    assert changes(tmp_path / "plugin.py", tmp_path / "helper.py")


@pytest.mark.parametrize(
    "statement",
    ["from .deep import helper", "from . import deep", "from .deep.helper import VALUE",
     "import lab.deep.helper", "from lab.deep import helper", "from lab import deep",
     "from ..deep import helper"],
)  # fmt: skip
@pytest.mark.parametrize("changed", ["deep/helper.py", "deep/__init__.py"])
def test_the_modules_of_a_package_count(tmp_path, statement, changed):
    package = write(tmp_path / "lab", __init__="", plugin=statement)
    write(package / "deep", __init__="from lab.deep.helper import VALUE", helper="VALUE = 0")
    if statement.startswith("from .."):
        package = write(tmp_path / "lab" / "sub", __init__="", plugin=statement)
    assert changes(package / "plugin.py", tmp_path / "lab" / changed)


def test_what_a_helper_imports_counts_and_circles_end(tmp_path):
    write(tmp_path, plugin="import helper", helper="import third", third="import plugin")
    assert changes(tmp_path / "plugin.py", tmp_path / "third.py", new="import plugin; VALUE = 2")


def test_a_module_of_the_search_path_counts_and_an_installed_one_does_not(tmp_path, monkeypatch):
    library = write(tmp_path / "library", mine_only="")
    monkeypatch.syspath_prepend(str(library))
    plugin = write(tmp_path / "here", plugin="import mine_only, numpy, json") / "plugin.py"
    assert changes(plugin, library / "mine_only.py")
    assert imported_files(plugin, names_in(plugin.read_text())) == [library / "mine_only.py"]


@pytest.mark.parametrize(
    ("statement", "file"),
    [("import xaibench.core.maps", "core/maps.py"),
     ("from xaibench.core import maps", "core/maps.py"),
     ("from xaibench.methods.rise import rise", "methods/rise.py"),
     ("from xaibench.core.passes.tape import Tape", "core/passes/tape.py")],
)  # fmt: skip
def test_modules_of_xaibench_count_however_they_are_imported(tmp_path, statement, file):
    plugin = write(tmp_path, plugin=statement) / "plugin.py"
    assert imported_files(plugin, names_in(statement)) == [PACKAGE / file]


def test_docstrings_comments_and_layout_do_not_count(tmp_path):
    plugin = tmp_path / "plugin.py"
    assert not changes(
        plugin, plugin, "def f(a):\n    return a + 1", 'def f(\n    a,\n):\n    """Add."""\n    '
        "return a + 1  # one more"
    )  # fmt: skip
    assert changes(plugin, plugin, "def f(a): return a + 1", "def f(a): return a + 1.0")
    assert changes(plugin, plugin, 'X = "1"', "X = 1")


def test_a_helper_that_is_no_source_counts_by_its_bytes(tmp_path):
    write(tmp_path, plugin="import helper")
    assert changes(tmp_path / "plugin.py", tmp_path / "helper.py", "no python (1", "no python (2")


def test_nothing_is_imported_to_find_it(tmp_path):
    package = write(tmp_path / "loud_lab", __init__="raise RuntimeError", helper="VALUE = 1")
    plugin = write(tmp_path, plugin="def f():\n    import loud_lab.helper") / "plugin.py"
    found = imported_files(plugin, names_in(plugin.read_text()))
    assert found == [package / "__init__.py", package / "helper.py"]
    assert "loud_lab" not in sys.modules


def test_another_process_comes_to_the_same(tmp_path):
    write(tmp_path, plugin="import helper", helper="VALUE = {1, 2, 'three'}")
    plugin = tmp_path / "plugin.py"
    ask = "import pathlib, sys; from xaibench.core.fingerprints import code_of; " \
          "sys.stdout.write(code_of(pathlib.Path(sys.argv[1])))"  # fmt: skip
    said = subprocess.run(
        [sys.executable, "-c", ask, str(plugin)],
        cwd=Path(PACKAGE).parent,
        capture_output=True,
        check=True,
    )
    assert said.stdout.decode() == fresh(plugin)


def test_what_a_metric_is_called_on_boards_is_no_code(tmp_path):
    write(tmp_path, plugin="@metric(higher_is_better=True)\ndef f(maps): return maps")
    before = fresh(tmp_path / "plugin.py")
    write(tmp_path, plugin="@metric(higher_is_better=True, title='F')\ndef f(maps): return maps")
    assert fresh(tmp_path / "plugin.py") == before


def test_a_file_is_parsed_once_however_many_processes_ask(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plugin = write(tmp_path, mine="import json\nVALUE = 1") / "mine.py"
    forget = known_code._known.cache_clear
    forget()
    before = fresh(plugin)
    forget()
    monkeypatch.setattr(fingerprints, "_parse", None)  # would fail if it were asked
    assert fresh(plugin) == before
    (kept,) = (tmp_path / "cache").rglob("code/*.json")
    kept.write_text("[1", "utf-8")
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget()
    assert fresh(plugin) == before
    forget()
