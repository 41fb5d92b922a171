"""Reading back the tables that a run wrote."""

from pathlib import Path

import pandas as pd

COSTS = ("seconds_per_image", "forwards_per_image", "peak_memory_mb")
"""What a cell's maps cost, as `cell.json` and ``costs.csv`` name it."""

_NUMBERS = ("value", "prediction", "mask_share", "lesions", "tuned_threshold", *COSTS)


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV; only values can be undefined, so that a sample may be called ``NA``."""
    return pd.read_csv(
        path,
        dtype={"sample": str, "group": str, "status": str},
        keep_default_na=False,
        na_values={name: ["", "nan"] for name in _NUMBERS},
    )
