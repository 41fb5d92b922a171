"""The example of a callback, and the page that shows it."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "watching.py"
PAGE = (ROOT / "docs" / "howto" / "watch_a_run.md").read_text("utf-8")


def test_the_page_shows_the_example():
    assert f'```python title="watching.py"\n{EXAMPLE.read_text("utf-8")}```' in PAGE


@pytest.mark.slow
def test_the_example_prints_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    (shown,) = re.findall(r"prints:\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    number = re.compile(r"0\.\d+")  # the last digits are the processor's
    assert number.sub("N", capsys.readouterr().out) == number.sub("N", shown)
