"""Metrics that maps without a network win, as `xaibench diagnose --gaming` found them."""

from pathlib import Path

import pandas as pd

from xaibench.core.csv_cells import restore
from xaibench.core.errors import XaibenchError
from xaibench.results.folder import DIAGNOSTICS_FILE
from xaibench.results.records import RunRecord


def read_won(out: Path, run: RunRecord) -> dict[str, str] | None:
    """Return why each metric of a run is won, by its spec; None where none is, or nobody looked.

    Raises:
        XaibenchError: ``diagnostics.csv`` is damaged.
    """
    path = out / DIAGNOSTICS_FILE
    if not path.is_file():
        return None
    try:
        table = restore(pd.read_csv(path, dtype=str, keep_default_na=False))
        failed = table[(table["diagnostic"] == "gaming") & (table["verdict"] == "fail")]
        found = dict(zip(failed["stage"], failed["why"], strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise XaibenchError(f"{path}: {error}; run `xaibench diagnose` again.") from error
    return {metric: why for metric, why in found.items() if metric in run.metrics} or None
