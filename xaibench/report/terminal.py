"""The board in a terminal."""

import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

_WIDE = 180


def print_board(board: pd.DataFrame, run: Mapping[str, Any]) -> None:
    """Write the board to standard output; controls are dimmed, plain text where it is no terminal.

    Args:
        board: from `leaderboard`.
        run: ``run.json``.
    """
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    arrows = {True: "↑", False: "↓"}
    metrics = {name: arrows[about["higher_is_better"]] for name, about in run["metrics"].items()}
    table = Table("method", "model", box=None, pad_edge=False, header_style="bold")
    for metric, arrow in metrics.items():
        table.add_column(f"{metric} {arrow}", justify="right")
    for row in board.to_dict("records"):
        control = row["kind"] == "control"
        name = row["method"] if row["kind"] == "method" else f"{row['method']} ({row['kind']})"
        values = ["—" if pd.isna(row[metric]) else f"{row[metric]:.3f}" for metric in metrics]
        # Specs hold brackets, which rich would take for markup.
        cells = [cell.replace("[", r"\[") for cell in (name, row["model"])]
        table.add_row(*cells, *values, style="dim" if control else None)
    console.print(table)
