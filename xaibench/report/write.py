"""Tables and pictures of a run's folder, from what the run left there."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.core.layout import Layout
from xaibench.core.store import read_json, replacing
from xaibench.core.tables import read_table
from xaibench.report.classification import classification_table
from xaibench.report.gallery import pick_rows, places_of
from xaibench.report.grid import draw_grid, draw_history
from xaibench.report.leaderboard import correct_only, leaderboard, to_markdown

_log = logging.getLogger(__name__)


def read_run(out: Path) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Read ``run.json``, ``scores.csv`` and ``predictions.csv``.

    Raises:
        XaibenchError: the folder is no run's, or holds no scores yet.
    """
    run = read_json(out / "run.json")
    if not {"options", "classes", "methods", "metrics"} <= set(run):
        raise XaibenchError(
            f"{out}: no run.json, or not a whole one; name the --out folder of an `xaibench run`."
        )
    try:
        scores, predictions = read_table(out / "scores.csv"), read_table(out / "predictions.csv")
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise XaibenchError(f"{out}: {error}; finish the run first (the same command).") from error
    if scores.empty:
        raise XaibenchError(f"{out}: no method has any score; see the errors in its cells.")
    return run, scores, predictions


def write_report(out: Path) -> pd.DataFrame:
    """Write ``classification.csv``, ``leaderboard.csv``, ``leaderboard.md`` and the pictures.

    Returns:
        The leaderboard.
    """
    run, scores, predictions = read_run(out)
    board = leaderboard(scores, run)
    classification = classification_table(predictions, run["classes"])
    for table in (board, classification):  # numbers of different protocols must never mix
        table["protocol"] = run.get("protocol_hash", "")
    right = correct_only(scores, run, predictions)
    with replacing(out / "leaderboard.csv") as path:
        board.to_csv(path, index=False)
    with replacing(out / "classification.csv") as path:
        classification.to_csv(path, index=False)
    with replacing(out / "leaderboard.md") as path:
        path.write_text(to_markdown(board, run, right, classification), "utf-8")
    _draw(out, run, predictions)
    return board


def _draw(out: Path, run: dict[str, Any], predictions: pd.DataFrame) -> None:
    layout = Layout(out)
    histories = {}
    for place in places_of(predictions):
        path = layout.model_folder(place) / "history.csv"
        if path.is_file():
            name = f"{place.model}, {place.fold_name}, seed {place.seed}"
            histories[name] = pd.read_csv(path)
    if histories:
        with replacing(out / "history.png") as path:
            draw_history(histories, path)
    try:
        rows = pick_rows(out, run, predictions)
    except XaibenchError as error:
        _log.warning("no picture grid: %s", error)
        return
    if rows:
        with replacing(out / "grid.png") as path:
            draw_grid(rows, path, f"{run['dataset']}, test images")
