"""One thread for all: the tests' networks are too small to share out."""

import os
import sys
from functools import lru_cache, wraps

import pytest
from _pytest.doctest import DoctestModule

# Before torch is imported, and for subprocesses: the number of threads may change the last bit.
os.environ["OMP_NUM_THREADS"] = "1"
pytest_plugins = ["pocket_runs"]

SLOW_FIXTURES = {"browser", "cluster"}


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is marked
def pytest_collection_modifyitems(items):
    """Mark what needs a real browser or a Ray cluster as slow."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file():
    """Look for examples in docstrings of the package alone: tests have none."""
    return [found for found in (yield) if not isinstance(found, DoctestModule)]


@pytest.fixture(autouse=True, scope="session")
def _phantoms_drawn_once():
    """Runs of all tests read the same few hundred pictures; each has its own copy."""
    from xaibench.datasets import phantom  # noqa: PLC0415 (after the number of threads is set)

    draw = phantom._draw
    drawn = lru_cache(1000)(draw)

    @wraps(draw)
    def draw_once(sample, **options):
        picture = drawn(sample, **options)
        return picture._replace(image=picture.image.copy(), mask=picture.mask.copy())

    phantom._draw = draw_once
    yield
    phantom._draw = draw


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
