"""Runs that are killed at any moment go on to the same results."""

import os
import random
import signal
import time

import pandas as pd
import pytest
from live_runs import KilledBefore, KilledWriting, Live, arguments

from results import committed_cells, inconsistencies_of, leftovers_of, results_of
from xaibench.core.store import temporary_path

pytestmark = pytest.mark.slow  # whole runs in processes of their own

COMMITS = 110
"""How often a whole run renames or removes a file before its report."""


def resume(run, out, whole):
    """Finish a run; nothing that was finished is done again."""
    assert inconsistencies_of(out) == []
    finished = committed_cells(out)
    assert run(out)[0] == 0
    assert finished.items() <= committed_cells(out).items()
    assert results_of(out) == whole.results
    assert leftovers_of(out) == []
    assert inconsistencies_of(out) == []


@pytest.mark.parametrize("seed", range(4))
def test_killed_between_two_steps(seed, whole, run, tmp_path):
    """The n-th file is written, but not in its place, or the n-th is to be removed."""
    chance, out = random.Random(seed), tmp_path / "out"
    kill = KilledBefore(chance.randrange(1, COMMITS), str(out))
    assert run(out, kill)[0] == -signal.SIGKILL
    if seed % 5 == 0:
        run(out, KilledBefore(chance.randrange(4, 40), str(out)))
    resume(run, out, whole)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_time(seed, whole, run, tmp_path):
    chance, out = random.Random(1000 + seed), tmp_path / "out"
    for _ in range(2 if seed == 3 else 1):
        live = Live(arguments(out, "cells"), tmp_path / "killed")
        time.sleep(chance.uniform(0, whole.seconds))
        live.kill()
    resume(run, out, whole)


def test_killed_before_its_checkpoint_is_removed(whole, run, tmp_path):
    out = tmp_path / "out"
    run(out, KilledBefore(1, "/checkpoint.pt"))
    (record,) = out.rglob("model.json")
    assert record.with_name("checkpoint.pt").is_file()
    resume(run, out, whole)


def test_killed_in_the_middle_of_a_checkpoint(whole, run, tmp_path):
    out, size = tmp_path / "out", 14_000
    assert run(out, KilledWriting(size))[0] == -signal.SIGXFSZ
    (half,) = out.rglob(".*.tmp")
    assert half.name.startswith(".checkpoint.pt")
    assert half.stat().st_size == size
    resume(run, out, whole)


def test_training_goes_on_from_its_last_epoch(whole, run, tmp_path):
    out = tmp_path / "out"
    run(out, KilledBefore(8, str(out)))
    (history,) = out.glob("models/**/history.csv")
    assert len(pd.read_csv(history)) == 2
    code, said = run(out)
    assert code == 0
    trained = [
        line for line in said.splitlines() if line.startswith("pocket_saliency") and "epoch" in line
    ]
    assert len(trained) == 1
    assert results_of(out) == whole.results


def test_a_checkpoint_of_other_options_is_not_taken(run, tmp_path):
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    run(out, KilledBefore(8, str(out)))
    assert run(out, learning_rate=0.01)[0] == run(fresh, learning_rate=0.01)[0] == 0
    assert results_of(out) == results_of(fresh)


def test_a_damaged_checkpoint_is_named_and_training_begins_anew(whole, run, tmp_path):
    out = tmp_path / "out"
    run(out, KilledBefore(8, str(out)))
    (checkpoint,) = out.rglob("checkpoint.pt")
    content = bytearray(checkpoint.read_bytes())
    content[random.Random(0).randrange(len(content))] ^= 16
    checkpoint.write_bytes(content)
    code, said = run(out)
    assert code == 0
    assert f"{checkpoint} is damaged" in said
    assert results_of(out) == whole.results


def test_killed_in_its_report_a_run_writes_it_again(whole, tmp_path):
    out = tmp_path / "out"
    kill = KilledBefore(COMMITS + 6, str(out))
    assert Live(arguments(out), tmp_path / "said", kill).wait()[0] == -signal.SIGKILL
    assert not (out / "report.html").exists()
    assert Live(arguments(out), tmp_path / "said").wait()[0] == 0
    assert (out / "report.html").is_file()
    results = results_of(out)
    assert results.pop("leaderboard.csv")
    assert results == whole.results


def test_temporary_files_of_a_running_process_are_left_alone(run, out):
    theirs = temporary_path(out / "cells" / "maps.npz")
    gone = theirs.with_name(theirs.name.replace(f".{os.getpid()}.", ".999999999."))
    for path in (theirs, gone):
        path.touch()
    run(out)
    assert theirs.exists()
    assert not gone.exists()
