"""The same small run by every executor, one of whose workers is killed at its work."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from live_runs import Live, arguments

from results import leftovers_of, results_of

pytestmark = pytest.mark.slow  # whole runs in processes of their own

PLUGIN = Path(__file__).with_name("mishaps.py")
CHANGED = {"methods": "gradcam,mishap,spn", "workers": 2}


@pytest.fixture
def start(tmp_path):
    def run(out, **changed):
        words = arguments(out, "cells", **CHANGED, **changed)
        words += ["--plugin", PLUGIN, "--verbose"]
        return Live(words, tmp_path / "said", MISHAPS=str(tmp_path)).wait()

    return run


def test_a_killed_worker_changes_no_result(start, tmp_path):
    assert start(tmp_path / "serial")[0] == 0
    there = ["processes", "ray"] if find_spec("ray") else ["processes"]
    for executor in there:
        (tmp_path / "mishap").write_text("die once")
        code, said = start(tmp_path / executor, executor=executor)
        assert code == 0, said
        assert said.count("it is begun again") == 1
        assert results_of(tmp_path / executor) == results_of(tmp_path / "serial")
        assert leftovers_of(tmp_path / executor) == []
