"""One tiny run that nothing disturbed; what others come to is compared with it."""

import shutil
import time
from types import SimpleNamespace

import pytest
from live_runs import Live, arguments

from results import results_of


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The undisturbed run: its folder (read only), results, and seconds without the report."""
    out = tmp_path_factory.mktemp("whole") / "out"
    code, said = Live(arguments(out, "cells"), out.with_name("said")).wait()  # warms the server
    assert code == 0, said
    shutil.rmtree(out)
    started = time.monotonic()
    assert Live(arguments(out, "cells"), out.with_name("said")).wait()[0] == 0
    return SimpleNamespace(out=out, results=results_of(out), seconds=time.monotonic() - started)


@pytest.fixture
def run(tmp_path):
    """Do all but the report of a tiny run, in a process of its own; return code and words."""

    def live(out, prepare=None, environment=None, **changed):
        words = arguments(out, "cells", **changed)
        return Live(words, tmp_path / "said", prepare, **(environment or {})).wait()

    return live


@pytest.fixture
def out(whole, tmp_path):
    """A copy of the undisturbed run, to be damaged."""
    return shutil.copytree(whole.out, tmp_path / "out")
