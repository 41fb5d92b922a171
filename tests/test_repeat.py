"""The script that sets a repeated run beside a published one."""

import runpy
from pathlib import Path

import pandas as pd
from click.testing import CliRunner

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "repeat.py"


def board(folder, rows):
    folder.mkdir()
    place = {"dataset": "tiles", "split": "holdout", "model": "net"}
    table = pd.DataFrame([{**place, **row} for row in rows])
    table.to_csv(folder / "leaderboard.csv", index=False)
    accuracy = {"accuracy": 0.75, "accuracy_low": 0.7, "accuracy_high": 0.8}
    told = [{**place, "method": row["method"], **accuracy} for row in rows]
    pd.DataFrame(told).to_csv(folder / "decisions.csv", index=False)
    return str(folder)


def repeat(*folders):
    done = CliRunner().invoke(runpy.run_path(str(SCRIPT))["main"], folders)
    return done.exit_code, done.stdout, done.stderr


def row(method, value, low, high):
    return {"method": method, "iou": value, "iou_low": low, "iou_high": high, "iou_rank_low": 1}


def test_values_are_counted_and_those_outside_are_named(tmp_path):
    ours = board(tmp_path / "ours", [row("gradcam", 0.5, 0.4, 0.6), row("spn", 0.3, 0.2, 0.35)])
    theirs = board(tmp_path / "theirs", [row("spn", 0.36, 0, 1), row("gradcam", 0.41, 0, 1),
                                         row("rise", 0.9, 0, 1)])  # fmt: skip
    code, out, _ = repeat(ours, theirs)
    assert code == 0
    assert "| iou | 1 | 2 |" in out
    assert "| accuracy | 1 | 1 |" in out
    assert "| all | 2 | 3 |" in out
    assert "- iou of spn on net: 0.3600, published 0.3000 [0.2000, 0.3500]" in out
    assert "gradcam on net" not in out


def test_an_undefined_interval_counts_for_nothing(tmp_path):
    ours = board(tmp_path / "ours", [row("gradcam", 0.5, None, None)])
    code, out, _ = repeat(ours, ours)
    assert code == 0
    assert "| all | 1 | 1 |" in out  # the accuracy alone


def test_what_cannot_be_compared_is_told_in_a_line(tmp_path):
    ours = board(tmp_path / "ours", [row("gradcam", 0.5, 0.4, 0.6)])
    code, _, err = repeat(ours, str(tmp_path))
    assert code == 1
    assert "name the --out folder of a finished run" in err
