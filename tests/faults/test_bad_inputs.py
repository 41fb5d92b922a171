"""Every bad input of the tables, each with the one line that it is answered with."""

import re
from pathlib import Path

import pytest
from bad_inputs import ANSWERS, ROWS
from plugin_files import forget_plugin_files

from xaibench.commands.exits import Exit
from xaibench.commands.mistakes import in_one_line
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XAIBENCH_DATA", str(tmp_path / "here"))
    yield
    forget_plugin_files()


def read_all(options):
    """Read each picture as a run does, and answer as the command line does."""
    try:
        dataset = open_dataset(bind("dataset", f"folder[path={options}]"))
        for sample in dataset.samples:
            dataset.read(sample)
    except XaibenchError as error:
        return 2, "", f"error: {in_one_line(error)}\n"
    return 0, "", ""


def content_of(folder):
    return {
        path: path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if not path.is_symlink()
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_bad_input_is_answered_in_one_line(call, tmp_path, row):
    row.make()
    before = content_of(tmp_path)
    first, *others = row.command.split(" ")
    code, out, err = read_all(others[0]) if first == "read" else call(first, *others)
    said = re.escape(ANSWERS[row.name]).replace("…", ".+")
    assert re.fullmatch(f"error: {said}\n", err), err
    assert code == Exit.MISTAKE
    assert "Traceback" not in out + err
    assert not list(Path().rglob("UNPICKLED"))
    assert content_of(tmp_path) == before


def test_the_tables_are_as_large_as_they_are_said_to_be():
    assert len(ROWS) > 200
    assert sorted(row.name for row in ROWS) == sorted(ANSWERS)
