"""``leaderboard.csv`` read back: the rows of a board as a run or a publication stored them."""

from collections.abc import Hashable, Iterable
from dataclasses import fields
from pathlib import Path

import pandas as pd

from xaibench.core.csv_cells import restore
from xaibench.core.errors import XaibenchError
from xaibench.report.judging.estimates import BoardRow, Estimate, from_frame
from xaibench.results.folder import BOARD_FILE
from xaibench.results.records import RunRecord
from xaibench.results.tables import named_as_now
from xaibench.results.todays_names import todays_spec

_TEXTS = ("dataset", "split", "model", "method", "kind", "supervision", "protocol")
_ENDINGS = ("_ties", "_ties_training_sets", "_better")
_COUNTS = ("_n", "_undefined", "_groups")


def read_board(folder: Path, run: RunRecord) -> list[BoardRow]:
    """Return the rows of ``leaderboard.csv``; none where the run only analyses.

    Args:
        folder: of a run or a publication.
        run: its ``run.json``.

    Raises:
        XaibenchError: the table is no board of this run.
    """
    path = folder / BOARD_FILE
    if not path.is_file():
        return []
    try:
        text = restore(pd.read_csv(path, dtype=str, keep_default_na=False))
        board = named_as_now(text.apply(_typed).rename(columns=_names_of_metrics(text)))
        rows = from_frame(board, run)
    except (KeyError, TypeError, ValueError) as error:
        raise _no_board(path, " ".join(str(error).split())) from None
    if missing := [metric for metric in run.metrics if metric not in board]:
        raise _no_board(path, f"column {missing[0]} is missing")
    if set(board.get("protocol", [])) - {run.protocol_hash}:
        raise _no_board(path, "of another protocol than run.json")
    return rows


def _no_board(path: Path, why: str) -> XaibenchError:
    remedy = f"write it again with `xaibench report {path.parent}`"
    return XaibenchError(f"{path}: no board of this run ({why}); {remedy}.")


def _typed(column: "pd.Series[str]") -> "pd.Series[float] | pd.Series[str] | pd.Series[int]":
    name = str(column.name)
    if name in _TEXTS or name.endswith(_ENDINGS):
        return column
    numbers = pd.to_numeric(column.where(column != ""))
    counts = name.endswith(_COUNTS) or name == "degenerate_maps"
    return numbers.astype(int) if counts else numbers.astype(float)


def _names_of_metrics(columns: Iterable[Hashable]) -> dict[str, str]:
    """Return the columns of metrics that have another name now, each with that name."""
    there = set(map(str, columns))
    known = {name: todays_spec("metric", name) for name in there if f"{name}_better" in there}
    endings = ["", "_better", *(f"_{each.name}" for each in fields(Estimate))]
    return {
        f"{name}{ending}": f"{now}{ending}"
        for name, now in known.items()
        if name != now
        for ending in endings
    }
