"""A finished run that is repeated draws and writes nothing again, unless something has changed."""

import ast
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import xaibench
from xaibench.report import current
from xaibench.report.current import is_current

PACKAGE = Path(xaibench.__file__).parent
UNCOUNTED = {"run.log", "locks"}


def states(out):
    return {
        path.relative_to(out).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in out.rglob("*")
        if path.is_file() and not UNCOUNTED & set(path.relative_to(out).parts)
    }


def written_since(before, out):
    return {name for name, state in states(out).items() if before.get(name) != state}


def words_of(settings, out):
    for name, value in settings.items():
        text = value if isinstance(value, str) else str(value)
        if isinstance(value, tuple):
            text = ",".join(map(str, value))
        yield from (f"--{name.replace('_', '-')}", text)
    yield from ("--out", out)


def test_nothing_is_written_and_one_line_says_so(call, settings, finished_run):
    out = finished_run.out
    before = states(out)
    code, told, _ = call("run", *words_of(settings, out))
    assert code == 0
    assert f"the report in {out} is up to date: nothing was written again" in told
    assert "best blind control" in told, "what came out is told all the same"
    repeated = xaibench.run(**settings, out=str(out))
    assert repeated.leaderboard.equals(finished_run.leaderboard)
    assert states(out) == before


REPORT = ["leaderboard.csv", "leaderboard.tex", "report.html", "grid.png", "figures/*.svg"]
SOURCES = ["run.json", "scores.csv", "predictions.csv", "costs.csv", "splits/*.csv",
           "models/**/model.json", "models/**/history.csv", "cells/**/cell.json"]  # fmt: skip


@pytest.mark.slow
def test_a_change_of_any_file_makes_the_report_again(finished_copy):
    unseen = []
    for pattern in [*REPORT, *SOURCES]:
        file = sorted(finished_copy.glob(pattern))[-1]
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + b" ")
        seen = not is_current(finished_copy)
        file.unlink()
        unseen += [] if seen and not is_current(finished_copy) else [pattern]
        file.write_bytes(whole)
        assert is_current(finished_copy), "its content counts, not its time"
    assert not unseen


def test_so_do_diagnoses_a_damaged_record_and_another_library(finished_copy, monkeypatch):
    added = finished_copy / "diagnostics.csv"
    added.write_text("a\n", "utf-8")
    assert not is_current(finished_copy)
    added.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(current, "versions_of", lambda names: dict.fromkeys(names, "0.0"))
        assert not is_current(finished_copy)
    assert is_current(finished_copy)
    record = finished_copy / "report.json"
    record.write_text(record.read_text("utf-8").replace("0", "1", 1), "utf-8")
    assert not is_current(finished_copy)


@pytest.mark.slow
def test_every_library_that_reports_use_is_named():
    used = set()
    for room in ("report", "stats"):
        for path in (PACKAGE / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    used |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    used.add(node.module.partition(".")[0])
    known = packages_distributions()
    installed = {known[name][0].lower() for name in used - {"xaibench"} if name in known}
    assert installed == set(current.LIBRARIES)
