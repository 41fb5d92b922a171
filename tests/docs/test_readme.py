"""What the README promises."""

import re
import tomllib
from pathlib import Path

import pytest

import xaibench
from xaibench.core.registry import plugins
from xaibench.running.collect import SCORE_COLUMNS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
OVERVIEW = (ROOT / "docs" / "overview.md").read_text("utf-8")


def test_readme_shows_the_example_plugin_as_it_is():
    assert (ROOT / "examples" / "darkness.py").read_text("utf-8") in README


def test_readme_has_exactly_the_two_setup_commands():
    commands = [line for line in README.splitlines() if "venv .venv &&" in line]
    assert [line.split("&& ")[-1] for line in commands] == [
        ".venv/bin/xaibench run",
        ".venv/bin/python -m pytest",
    ]


def test_the_overview_names_the_score_columns_that_runs_write():
    assert f"`{', '.join(SCORE_COLUMNS)}`" in OVERVIEW


@pytest.mark.parametrize("kind", ["method", "metric"])
def test_the_page_that_helps_to_choose_names_every_plugin(kind):
    page = (ROOT / "docs" / "howto" / f"choose_a_{kind}.md").read_text("utf-8")
    missing = [name for name in plugins(kind) if not re.search(rf"`{name}[`\[]", page)]
    assert not missing


def test_every_public_name_can_be_imported():
    for name in xaibench.__all__:
        assert getattr(xaibench, name) is not None


def test_python_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["requires-python"] == ">=3.11"
    assert "Python 3.11 or later, tested with 3.11" in README
