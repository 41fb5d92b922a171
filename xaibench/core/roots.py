"""Where data is looked for."""

import os
from pathlib import Path

import pooch

ENVIRONMENT_VARIABLE = "XAIBENCH_DATA"


def data_root(given: str | Path | None = None) -> Path:
    """Return the folder that holds all data: the given one, else $XAIBENCH_DATA, else the cache."""
    chosen = given or os.environ.get(ENVIRONMENT_VARIABLE) or pooch.os_cache("xaibench")
    return Path(chosen).expanduser()
