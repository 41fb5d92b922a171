"""What our runs found: a value with its interval, read from the tables that a run leaves."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from entries import Entry
from numpy.typing import NDArray

from xaibench.core.registry import bind
from xaibench.core.store import folder_name
from xaibench.report.judging.analyses import ALL
from xaibench.report.judging.classifier_rates import counts_by_class
from xaibench.results.tables import read_table, stored_table
from xaibench.stats.intervals import interval
from xaibench.stats.rates import Interval, wilson
from xaibench.stats.resampling import Resampling

Floats = NDArray[np.float64]
_LEVELS = (0.025, 0.975)


class Ours(NamedTuple):
    """A value as a fraction, the ends of its 95 % interval (NaN without one), and its images."""

    value: float
    low: float
    high: float
    images: int


def find(folder: Path, entry: Entry) -> Ours | None:
    """Return what a run's folder says of an entry, None where it doesn't."""
    pattern = _PATTERNS.get(entry.table)
    paths = sorted(folder.glob(pattern)) if pattern else [stored_table(folder / entry.table)]
    if not paths or not paths[0].is_file():
        return None
    found = _READERS[entry.table](paths, entry)
    return found if found is not None and not np.isnan(found.value) else None


@cache
def canonical(kind: str, spec: str) -> str:
    """Write a spec as runs do: options in order, defaults left out.

    Raises:
        XaibenchError: there is no such plugin, or it has no such option.
    """
    return bind(kind, spec).spec


def confusion_figures(confusion: Floats) -> dict[str, tuple[Floats, Floats | None]]:
    """Return each figure and, where it is a rate, what it counts: the cases behind it.

    Plain names belong to the last class, the positive one of two. ``weighted`` figures are means
    over classes, weighted by their images, so that the weighted recall is the accuracy.

    Args:
        confusion: ``(..., K, K)``, rows are true classes and columns predicted ones.
    """
    actual = confusion.sum(axis=-1)
    total = actual.sum(axis=-1)
    accuracy = np.trace(confusion, axis1=-2, axis2=-1) / total
    found: dict[str, tuple[Floats, Floats | None]] = {"accuracy": (accuracy, total)}
    for name, (counted, cases) in counts_by_class(confusion).items():
        with np.errstate(invalid="ignore"):
            rate = counted / cases
        found[name] = rate[..., -1], None if name == "f1" else cases[..., -1]
        found[f"macro_{name}"] = rate.mean(axis=-1), None
        found[f"weighted_{name}"] = (rate * actual).sum(axis=-1) / total, None
    return found | {"weighted_recall": (accuracy, total)}


def _from_predictions(paths: list[Path], entry: Entry) -> Ours | None:
    """All folds make one set of images; of several seeds the mean counts, over as many images."""
    table = _of_model(read_table(paths[0]), entry).dropna(subset="prediction")
    if table.empty:
        return None
    names = table["group"].where(table["group"] != "", table["sample"])
    units = names.to_numpy(str), table["fold"].to_numpy(str), table["seed"].to_numpy(str)
    confidences = table.filter(like="confidence_").dropna(axis=1).to_numpy(float)
    labels, predicted = table["label"].to_numpy(int), table["prediction"].to_numpy(int)
    seeds, images = table["seed"].nunique(), len(table[["fold", "sample"]].drop_duplicates())
    if entry.column == "loss":
        with np.errstate(divide="ignore"):
            losses = -np.log(confidences[np.arange(len(labels)), labels])
        drawn = Resampling(*units).means(losses[:, None])[:, 0]
        return Ours(float(losses.mean()), *interval(losses, drawn, *units), images)
    classes = confidences.shape[1]
    cells = np.eye(classes**2)[labels * classes + predicted]
    confusion = cells.sum(axis=0).reshape(classes, classes) / seeds
    value, cases = confusion_figures(confusion)[entry.column]
    if cases is not None:
        return Ours(float(value), *wilson(value * cases, cases), images)
    draws = Resampling(*units).means(cells).reshape(-1, classes, classes)
    low, high = np.nanquantile(confusion_figures(draws)[entry.column][0], _LEVELS)
    return Ours(float(value), float(low), float(high), images)


def _from_leaderboard(paths: list[Path], entry: Entry) -> Ours | None:
    table = _of_model(read_table(paths[0]), entry)
    column = entry.column
    if column not in table:
        return None
    rows = table[table["method"] == canonical("method", entry.method)]
    return _of_row(rows, column, f"{column}_low", f"{column}_high", f"{column}_n")


def _from_analyses(paths: list[Path], entry: Entry) -> Ours | None:
    table = _of_model(read_table(paths[0]), entry)
    rows = table[table["analysis"] == canonical("analysis", entry.method)]
    rows = rows[rows["quantity"] == entry.column]
    if len(rows) > 1:
        rows = rows[rows["fold"] == ALL]
    return _of_row(rows, "value", "low", "high", "n")


def _from_history(paths: list[Path], entry: Entry) -> Ours | None:
    """The epoch that was kept is the one of least validation loss; folds and seeds are averaged."""
    kept = []
    for path in paths:
        if path.parents[1].name == folder_name(canonical("model", entry.model)):
            history = pd.read_csv(path)
            if entry.column in history:
                kept.append(history[entry.column].iloc[int(history["validation_loss"].argmin())])
    if not kept:
        return None
    value, images = float(np.mean(kept)), _count_validation(paths[0])
    ends = wilson(value * images, images) if entry.column == "validation_accuracy" else _NO_ENDS
    return Ours(value, *ends, images)


def _count_validation(history: Path) -> int:
    """Count the validation images in the split files of the run that a history belongs to."""
    root = next(folder for folder in history.parents if (folder / "splits").is_dir())
    parts = pd.concat(pd.read_csv(path) for path in sorted((root / "splits").glob("*.csv")))
    return len(parts.loc[parts["part"] == "validation", "sample"].drop_duplicates())


def _of_row(rows: pd.DataFrame, *columns: str) -> Ours | None:
    """Return the only row's value, ends and n; several can't stand for one figure."""
    if len(rows) != 1:
        return None
    value, low, high, images = (float(pd.to_numeric(rows[name]).iloc[0]) for name in columns)
    return Ours(value, low, high, int(images))


def _of_model(table: pd.DataFrame, entry: Entry) -> pd.DataFrame:
    return table[table["model"] == canonical("model", entry.model)]


_NO_ENDS = Interval(float("nan"), float("nan"))
_PATTERNS = {"history.csv": "models/*/*/*/seed*/history.csv"}
_READERS: dict[str, Callable[[list[Path], Entry], Ours | None]] = {
    "predictions.csv": _from_predictions,
    "leaderboard.csv": _from_leaderboard,
    "analyses.csv": _from_analyses,
    "history.csv": _from_history,
}
