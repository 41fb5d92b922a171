"""Runs that are started at once in one folder share the work, and spoil nothing."""

import re
import time

import pandas as pd
import pytest
from live_runs import Live, arguments

from results import inconsistencies_of, leftovers_of, results_of
from xaibench.core.store import read_json
from xaibench.results.seal import changed_since
from xaibench.results.tables import COSTS

pytestmark = pytest.mark.slow  # whole runs in processes of their own

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR) \S")


def start_all(out, *changes, **environment):
    """Start a run for each dictionary of options, and wait for all."""
    live = [
        Live(arguments(out, "cells", **changed), out.with_name(f"said{number}"), **environment)
        for number, changed in enumerate(changes)
    ]
    return [each.wait() for each in live]


def check_clean(out):
    assert leftovers_of(out) == []
    assert inconsistencies_of(out) == []
    assert list((out / "locks" / "runs").glob("run-*")) == []


@pytest.mark.parametrize("count", [2, 3])
def test_the_same_run_many_times_is_done_once(count, whole, tmp_path):
    out = tmp_path / "out"
    ends = start_all(out, *[{}] * count)
    assert [code for code, _ in ends] == [0] * count
    assert not any("doesn't count" in said or "failed" in said for _, said in ends)
    assert results_of(out) == whole.results
    check_clean(out)
    log = (out / "run.log").read_text("utf-8")
    assert all(map(LINE.match, log.splitlines()))
    assert log.count("INFO begin: ") == log.count("INFO end") == count
    epochs = re.findall(r"(\w+), fold 0, seed 0: epoch (\d)/3", log)
    assert sorted(epochs) == [(m, e) for m in ("pocket", "pocket_saliency") for e in "123"]
    assert log.count("analyze pocket, fold 0, seed 0: pca") == 1


def test_parts_of_other_sizes_and_other_methods_get_along(whole, run, tmp_path):
    out = tmp_path / "out"
    mine = {"methods": "gradcam,sobel", "part_size": 2}
    theirs = {"methods": "spn,gradcam", "part_size": 3}
    ends = start_all(out, mine, theirs)
    assert [code for code, _ in ends] == [0, 0]
    check_clean(out)
    assert run(out)[0] == 0
    tables = results_of(out)
    assert all(tables[name] == whole.results[name] for name in ("scores.csv", "predictions.csv"))
    check_clean(out)


def test_four_runs_of_other_methods_come_to_one_board(tmp_path):
    out, alone = tmp_path / "out", tmp_path / "alone"
    chosen = ["gradcam", "spn", "sobel,gradient", "gradcam_pp"]
    live = [
        Live(arguments(out, methods=each, analyses=""), tmp_path / f"said{place}")
        for place, each in enumerate(chosen)
    ]
    ends = [each.wait() for each in live]
    assert [code for code, _ in ends] == [0] * len(chosen), ends
    check_clean(out)
    assert list((out / "locks" / "runs").glob("asks-*")) == []
    together = ",".join(chosen)
    code, said = Live(arguments(alone, methods=together, analyses=""), tmp_path / "said").wait()
    assert code == 0, said
    mine, theirs = results_of(out), results_of(alone)
    assert mine.keys() == theirs.keys()
    assert all(mine[name] == theirs[name] for name in ("scores.csv", "predictions.csv"))
    assert read_board(out).equals(read_board(alone))
    assert changed_since(out) == []
    methods = [set(read_json(each / "run.json")["methods"]) for each in (out, alone)]
    assert methods[0] == methods[1]


def read_board(out):
    board = pd.read_csv(out / "leaderboard.csv", dtype=str)
    board = board.drop(columns=[*COSTS, "protocol"], errors="ignore")
    return board.sort_values(["model", "method"]).reset_index(drop=True)


def test_runs_that_train_otherwise_mix_nothing(whole, run, tmp_path):
    """Each comes to its own result, or says that another has replaced its models."""
    out, alone = tmp_path / "out", tmp_path / "alone"
    ends = start_all(out, {}, {"epochs": 2})
    assert {code for code, _ in ends} <= {0, 2, 3}
    for code, said in ends:
        assert "Traceback" not in said
        assert (code == 0) == ("give each" not in said.splitlines()[-1])
    run(alone, epochs=2)
    for results, epochs in ((whole.results, 3), (results_of(alone), 2)):
        assert run(out, epochs=epochs)[0] == 0
        assert results_of(out) == results
        check_clean(out)


def test_a_run_describes_itself_even_if_another_did_meanwhile(run, tmp_path):
    out = tmp_path / "out"
    slow = Live(arguments(out, "cells", models="pocket"), tmp_path / "slow", POCKET_SLEEP="0.8")
    until = time.monotonic() + 30
    while not (out / "run.json").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert run(out, models="pocket_saliency", epochs=1)[0] == 0
    assert list(read_json(out / "run.json")["models"]) == ["pocket_saliency"]
    assert slow.process.is_alive()
    assert slow.wait()[0] == 0
    assert list(read_json(out / "run.json")["models"]) == ["pocket"]


def test_who_waits_for_one_that_is_killed_takes_over(whole, tmp_path):
    out = tmp_path / "out"
    slow = Live(arguments(out, "cells"), tmp_path / "slow", POCKET_SLEEP="0.4")
    history = out / "models/phantom-images=60/holdout/pocket/seed0/history.csv"
    until = time.monotonic() + 30
    while not history.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    waiting = Live(arguments(out, "cells"), tmp_path / "waiting")
    time.sleep(1)
    slow.kill()
    code, said = waiting.wait()
    assert code == 0
    assert "pocket, fold 0, seed 0: epoch 1/3" not in said
    assert "pocket, fold 0, seed 0: epoch 3/3" in said
    assert results_of(out) == whole.results
    check_clean(out)
