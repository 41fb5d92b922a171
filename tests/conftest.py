"""One thread for all: the tests' networks are too small to share out."""

import os
import sys

import pytest

# Before torch is imported, and for subprocesses: the number of threads may change the last bit.
os.environ["OMP_NUM_THREADS"] = "1"
pytest_plugins = ["pocket_runs"]
# A script for another interpreter, where Quantus is installed; plugins that only some tests want.
collect_ignore = ["metrics/quantus_peer.py", "faulty_plugins.py", "pocket_plugins.py",
                  "pocket_runs.py", "checkpoint_plugins.py",
                  "faults/mishaps.py", "faults/live_runs.py"]  # fmt: skip
collect_ignore_glob = ["*conftest.py"]  # as doctests: several have that name

SLOW_FIXTURES = {"browser", "cluster"}


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is marked
def pytest_collection_modifyitems(items):
    """Mark what needs a real browser or a Ray cluster as slow."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def call(capsys, monkeypatch):
    """The command line as a user calls it, in this process to spare torch's import."""
    from xaibench import cli  # noqa: PLC0415 (after the number of threads is set)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["xaibench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return run
