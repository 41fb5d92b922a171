"""The tool that sets our figures beside reported ones, and runs of ours made by hand for it."""

import json
import math
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
TOOL, PUBLISHED = ROOT / "benchmarks" / "reported", ROOT / "results" / "published"
sys.path.append(str(TOOL))

from entries import Entry, as_csv, read_entries  # noqa: E402 (a folder that is run, no package)
from ours import canonical, confusion_figures, find  # noqa: E402
from page import command_of, write_page  # noqa: E402
from verdicts import Kind, find_runs, judge  # noqa: E402

__all__ = ["PUBLISHED", "ROOT", "TOOL", "Entry", "Kind", "as_csv", "canonical", "command_of",
           "confusion_figures", "entry_of", "find", "find_runs", "judge", "leave_board", "make_run",
           "read_entries", "write_page"]  # fmt: skip


def make_run(folder, *, suite=None, options=None, command="xaibench run --suite s.toml",
             date="2026-01-01"):  # fmt: skip
    """Leave a run.json as a suite's run does."""
    folder.mkdir(exist_ok=True, parents=True)
    suite = suite or {"name": "s", "profile": "full", "part": ""}
    options = options or {"weights": "imagenet", "dataset": "busi[per_class=150]", "limit": 0}
    info = {"suite": suite, "options": options, "command": command, "date": date}
    (folder / "run.json").write_text(json.dumps(info), "utf-8")
    return folder


def leave_board(folder, entry, value, low=math.nan, high=math.nan, n=30):
    """Leave a board of one row, which holds an entry's value."""
    name = entry.column
    row = {"model": canonical("model", entry.model), name: value}
    row["method"] = canonical("method", entry.method)
    row |= {f"{name}_low": low, f"{name}_high": high, f"{name}_n": n}
    pd.DataFrame([row]).to_csv(folder / "leaderboard.csv", index=False)


def entry_of(**given):
    """A row of a report, found on the board where nothing else is given."""
    blank = dict.fromkeys(Entry._fields, "")
    blank |= {"id": "e", "system": "1", "item": "net", "metric": "accuracy", "source": "report"}
    blank |= {"suite": "s", "model": "resnet50", "table": "leaderboard.csv", "column": "iou"}
    blank |= {"method": "gradcam", "reason": "data needs an account"}
    return Entry(**(blank | given))
