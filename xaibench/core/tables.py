"""Reading back the tables that a run wrote."""

from pathlib import Path

import pandas as pd


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV; only values can be undefined, so that a sample may be called ``NA``."""
    return pd.read_csv(
        path,
        dtype={"sample": str, "status": str},
        keep_default_na=False,
        na_values={"value": ["", "nan"]},
    )
