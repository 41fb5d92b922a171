"""Reading back the tables that a run wrote."""

import io
import lzma
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import pandas as pd
from pandas.io.parsers import TextFileReader

from xaibench.core.csv_cells import restore
from xaibench.core.errors import XaibenchError
from xaibench.results.todays_names import todays_spec

COSTS = ("seconds_per_image", "forwards_per_image", "peak_memory_mb")
"""What a cell's maps cost, as `cell.json` and ``costs.csv`` name it."""

FIT_COSTS = ("fit_seconds", "fit_forwards")
"""What a method's fit took once for each trained model, in ``costs.csv``; empty without one."""

GAP = "completeness_gap"
"""The largest share of a promised sum that a cell's attributions missed; older runs lack it."""

DEPENDENCE = ("dependence_runner_up", "dependence_random_layers")
"""How much a cell's maps change with the decision, as ``costs.csv`` names it."""

LIKENESS = ("rank_correlation", "ssim", "iou", "peak_distance")
"""How alike an image's maps of several trainings are, as ``reproducibility.csv`` names it."""

ALL_PAIRS = "all"
"""Which pairs of trainings a line of ``reproducibility.csv`` is of, where it is of all."""

REPRODUCIBILITY = [
    *("dataset", "split", "model", "method", "between", "images", "pairs"),
    *LIKENESS,
]
"""The columns of ``reproducibility.csv``."""

_NAMES = ("dataset", "split", "model", "method", "sample", "metric", "group", "status", "target")
_LINES = 2**18
# Numbers as text shrink to a thirtieth; what unpacks to far more is no table.
_RATIO, _SMALL = 300, 2**20
_OF_CELLS = ("tuned_threshold", *COSTS, *FIT_COSTS, GAP, *DEPENDENCE, *LIKENESS)
_NUMBERS = ("value", "prediction", "mask_share", "regions", "lesions", *_OF_CELLS)


def stored_table(path: Path) -> Path:
    """Return where a table lies: as named, or compressed (``scores.csv.xz``), as published."""
    packed = path.with_name(f"{path.name}.xz")
    return packed if packed.is_file() and not path.is_file() else path


def read_history(path: Path) -> pd.DataFrame:
    """Read the epochs of a training, all numbers.

    Raises:
        XaibenchError: it is no such table, as after a change by hand.
    """
    try:
        return pd.read_csv(path).astype(float)
    except (OSError, ValueError) as error:
        raise XaibenchError(
            f"{path}: no table of numbers ({' '.join(str(error).split())}); remove it, and the "
            "report goes without its curve."
        ) from None


def read_table(path: Path, *, compact: bool = False) -> pd.DataFrame:
    """Read a CSV; only values can be undefined, so that a sample may be called ``NA``.

    Args:
        path: of the file; one that ends in ``.xz`` is unpacked.
        compact: keep names as categories in alphabetical order, in a tenth of the memory.

    Raises:
        ValueError: it is no table, or unpacks to far more than a table would.
    """
    with ExitStack() as stack:
        source: Any = path
        if path.suffix == ".xz":
            packed = stack.enter_context(lzma.open(path))
            source = io.BufferedReader(_Unpacked(packed, path.stat().st_size), _SMALL)
        reader = stack.enter_context(_open(source))
        # Read as categories, names of digits alone would become numbers.
        kinds = dict.fromkeys(_NAMES, "category") if compact else {}
        parts = [
            named_as_now(restore(part.astype({n: k for n, k in kinds.items() if n in part})))
            for part in reader
        ]
    for name in filter(parts[0].columns.__contains__, _NAMES if compact else ()):
        names = sorted(set().union(*(part[name].cat.categories for part in parts)))
        for part in parts:
            part[name] = part[name].cat.set_categories(names)
    return pd.concat(parts, ignore_index=True)


def _open(source: Any) -> TextFileReader:
    return pd.read_csv(
        source,
        dtype=dict.fromkeys(_NAMES, str),
        keep_default_na=False,
        na_values={name: ["", "nan"] for name in _NUMBERS},
        # Smaller parts, as pandas chooses them, know long names a thousand times over.
        chunksize=_LINES,
        low_memory=False,
    )


class _Unpacked(io.RawIOBase):
    """Unpacks a table, and refuses to go on where a small file grows without end."""

    def __init__(self, packed: IO[bytes], size: int) -> None:
        self._packed, self._left = packed, _SMALL + _RATIO * size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._packed.read(len(buffer))
        self._left -= len(found)
        if self._left < 0:
            raise ValueError("it unpacks to far more than a table would")
        buffer[: len(found)] = found
        return len(found)


def named_as_now(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the names that its columns and its plugins have now."""
    table = table.rename(columns={"lesions": "regions"})
    for kind in ("model", "method", "metric"):
        column = table.get(kind, pd.Series(dtype=str))
        now = {str(spec): todays_spec(kind, str(spec)) for spec in column.unique()}
        if any(spec != name for spec, name in now.items()):
            compact = isinstance(column.dtype, pd.CategoricalDtype)
            names = column.astype(str).map(now)
            table = table.assign(**{kind: names.astype("category") if compact else names})
    return table
