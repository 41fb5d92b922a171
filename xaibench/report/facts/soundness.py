"""Whether the tables of a run's folder are whole and belong together."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.results.folder import Place
from xaibench.results.records import RunRecord

_PLACE = list(Place._fields)
_MAP = [*_PLACE, "sample"]
_REMEDY = "repeat the run's command, which writes it anew"
_ROUNDING = 1e-6


def check_numbers(name: str, table: pd.DataFrame) -> None:
    """Refuse a table with a line that was cut off or edited.

    Raises:
        XaibenchError: a fold, a seed or a value is no number, or a key is empty.
    """
    for column in ("fold", "seed", "value"):
        if column not in table:
            continue
        numbers = pd.to_numeric(table[column], errors="coerce")
        damaged = numbers.isna() & (table[column].notna() if column == "value" else True)
        _refuse(name, column, damaged)
    for column in map(str, table):
        if column.startswith("confidence_"):
            _refuse(name, column, table[column].isna() & table["prediction"].notna())
    for column in ("dataset", "split", "model", "sample", "metric"):
        if column in table:
            _refuse(name, column, table[column].isna() | (table[column] == ""))


def _refuse(name: str, column: str, damaged: "pd.Series[bool]") -> None:
    if damaged.any():
        line = int(np.flatnonzero(damaged)[0]) + 2  # the header is the first
        raise XaibenchError(f"{name}, line {line}: no usable {column}; {_REMEDY}.")


def check_together(
    run: RunRecord, scores: pd.DataFrame, predictions: pd.DataFrame
) -> Iterator[str]:
    """Yield what a reader of the board must know of its scores.

    Raises:
        XaibenchError: scores are there for images that the model of their row hasn't seen.
    """
    if len(predictions):
        known = pd.MultiIndex.from_frame(predictions[_MAP].astype(str))
        maps = scores[_MAP].drop_duplicates().astype(str)
        if not (inside := pd.MultiIndex.from_frame(maps).isin(known)).all():
            row = maps[~inside].iloc[0]
            raise XaibenchError(
                f"scores.csv holds {row['sample']} for {row['model']}, fold {row['fold']}, seed "
                f"{row['seed']}, but predictions.csv doesn't: it is no test image of that fold; "
                "delete the run's folder cells and repeat its command (trained models stay)."
            )
    for metric in sorted(set(scores["metric"]) - set(run.metrics)):
        yield f"scores.csv holds {metric}, which run.json doesn't list: it is left out"
    yield from _lacking(scores)
    yield from _beyond(run, scores)


def _lacking(scores: pd.DataFrame) -> Iterator[str]:
    """Tell of metrics that have fewer maps than others of the same cell: lines may be lost."""
    counts = scores.groupby([*_PLACE, "method", "metric"], observed=True).size()
    most = counts.groupby([*_PLACE, "method"], observed=True).transform("max")
    lost = most - counts
    if lost.any():
        *_, model, seed, method, metric = lost[lost > 0].index[0]
        yield (
            f"scores.csv lacks {lost.sum()} values, such as of {metric} for {method} on {model}, "
            f"seed {seed}; {_REMEDY}"
        )


def _beyond(run: RunRecord, scores: pd.DataFrame) -> Iterator[str]:
    for metric in run.metrics:
        low, high = run.metrics[metric].limits
        values = pd.to_numeric(scores.loc[scores["metric"] == metric, "value"])
        values = values[np.isfinite(values)]
        count = int(((values < low - _ROUNDING) | (values > high + _ROUNDING)).sum())
        if count and not run.metrics[metric].is_pooled:
            yield (
                f"{count} values of {metric} lie outside of its bounds, {low:g} to {high:g}: the "
                "metric declares wrong ones, or scores.csv was edited"
            )
