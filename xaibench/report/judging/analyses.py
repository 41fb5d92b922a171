"""Analyses of a folder: what they found, with intervals, as one table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaibench.core.csv_cells import restore
from xaibench.core.findings import IMAGES
from xaibench.report.facts.material import PLACE
from xaibench.results.folder import ANALYSIS_FILE, MODEL_FILE, Layout, Place
from xaibench.results.integrity import read_record
from xaibench.results.stored_work import read_analysis
from xaibench.results.work_records import AnalysisRecord, ModelRecord
from xaibench.stats.auroc import auroc_interval
from xaibench.stats.intervals import interval
from xaibench.stats.paired import paired_test
from xaibench.stats.rates import Interval, mcnemar, newcombe, wilson
from xaibench.stats.resampling import Resampling

ALL = "all"
COLUMNS = [*PLACE, "analysis", "quantity", "value", "low", "high", "n", "p"]
_AREA = "auroc"
_TEXTS = ("sample", "group", "class")
_UNKNOWN = (float("nan"), float("nan"))
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Analysis:
    """One finished analysis: its folder and its ``analysis.json``."""

    folder: Path
    about: AnalysisRecord

    @property
    def place(self) -> Place:
        """The trained model that was analyzed."""
        return self.about.place

    def table(self, name: str) -> pd.DataFrame:
        """Return one of its tables; a sample or a class may be called ``NA``."""
        path, texts = self.folder / f"{name}.csv", dict.fromkeys(_TEXTS, str)
        found = restore(pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""]))
        return found.fillna(dict.fromkeys(_TEXTS, ""))


class _Units(NamedTuple):
    """Test images of one or more folds and seeds, and what each belongs to."""

    images: pd.DataFrame
    groups: NDArray[np.str_]
    folds: NDArray[np.int_]
    seeds: NDArray[np.int_]

    @classmethod
    def of(cls, alike: Sequence[Analysis]) -> "_Units":
        tables = [each.table(IMAGES) for each in alike]
        lengths = [len(table) for table in tables]
        images = pd.concat(tables, ignore_index=True)
        alone = images["group"] == ""
        groups = ("image " + images["sample"]).where(alone, "group " + images["group"])
        folds, seeds = ([getattr(each.place, name) for each in alike] for name in ("fold", "seed"))
        return cls(
            images, groups.to_numpy(str), np.repeat(folds, lengths), np.repeat(seeds, lengths)
        )


def first_trained(analyses: Sequence[Analysis]) -> list[Analysis]:
    """Return those of each model's first fold and seed: their figures are shown."""
    first: dict[tuple[str, ...], tuple[int, int]] = {}
    return [
        each
        for each in analyses
        if first.setdefault(
            (each.place.dataset, each.place.split, each.place.model, each.about.analysis),
            (each.place.fold, each.place.seed),
        )
        == (each.place.fold, each.place.seed)
    ]


def read_analyses(out: Path) -> list[Analysis]:
    """Return the folder's finished analyses, in the order of their places and names.

    Those of a model that was trained anew since are left out.

    Raises:
        XaibenchError: a figure would lie outside of its folder.
    """
    found = []
    for path in Layout(out).records(ANALYSIS_FILE):
        analysis = Analysis(path.parent, read_analysis(path))
        if analysis.about.error is not None:
            continue
        model = read_record(Layout(out).model_folder(analysis.place) / MODEL_FILE, ModelRecord)
        if model and model.sha256 == analysis.about.model_sha256:
            found.append(analysis)
    return found


def quantities(analyses: Sequence[Analysis]) -> pd.DataFrame:
    """Return a row for each quantity of each analysis, and for each difference of a pair.

    ``low`` and ``high`` are ends of 95 % intervals: Wilson's for shares of images that all are
    alone, Newcombe's for differences of two such shares, else the bootstrap over groups. Quantities
    that aren't made from single test images have none; ``n`` counts those that they are made from.
    ``p`` is that of a difference: by McNemar's exact test, or by the paired test of groups.
    Where a model was analyzed in several folds or seeds, rows of fold and seed `ALL` say what all
    of them come to: the mean over their test images.
    """
    rows: list[tuple[Any, ...]] = []
    subjects: dict[tuple[Any, ...], list[Analysis]] = {}
    for each in analyses:
        place, name = each.place, each.about.analysis
        rows += [(*place, name, *row) for row in _rows([each])]
        subjects.setdefault((place.dataset, place.split, place.model, name), []).append(each)
    for (dataset, split, model, name), alike in subjects.items():
        if len(alike) > 1:
            rows += [(dataset, split, ALL, model, ALL, name, *row) for row in _rows(alike)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64"})


def _rows(alike: Sequence[Analysis]) -> Iterator[tuple[Any, ...]]:
    """Yield rows of one model's analysis, in one fold of one seed or in all of them."""
    about = alike[0].about
    units = _Units.of(alike)
    names = [name for name in about.quantities if name in units.images]
    values = units.images[names].to_numpy(float)
    pairs = [(names.index(a), names.index(b)) for a, b in about.pairs]
    apart = [values[:, a] - values[:, b] for a, b in pairs]
    ends = _intervals(np.column_stack([values, *apart]), units)
    if _AREA in names and {"error", "state"} <= set(units.images):
        at = names.index(_AREA)
        ends[at] = _of_area(ends[at], units.images)
    bounds = about.bounds
    for name in about.quantities:
        if name in names:
            column = names.index(name)
            yield (name, *_summary(values[:, column], _cut(ends[column], *bounds)), np.nan)
        elif len(alike) == 1:
            number = about.numbers[name]
            yield name, np.nan if number is None else number, *_UNKNOWN, pd.NA, np.nan
    reach = bounds[1] - bounds[0]
    for (a, b), difference, found in zip(pairs, apart, ends[len(names) :], strict=True):
        p = _compare(values[:, a], values[:, b], units)
        if not np.nan_to_num(difference).any():  # what wasn't seen may be on either side
            found = Interval(-found.high, found.high)  # noqa: PLW2901
        elif _are_coins(values[:, [a, b]], units):  # their difference is none: it may be -1
            found = newcombe(*_both(values[:, a], values[:, b]))  # noqa: PLW2901
        yield f"{names[a]} - {names[b]}", *_summary(difference, _cut(found, -reach, reach)), p


def _of_area(ends: Interval, images: pd.DataFrame) -> Interval:
    """Return the wider of two intervals of an area: the bootstrap's is too narrow for few sick."""
    low, high = auroc_interval(images["state"] == "sick", images["error"])
    return Interval(np.fmin(ends.low, low), np.fmax(ends.high, high))


def _summary(values: Floats, ends: Interval) -> tuple[float, float, float, int]:
    count = int((~np.isnan(values)).sum())
    return float(np.nanmean(values)) if count else float("nan"), *ends, count


def _intervals(values: Floats, units: _Units) -> list[Interval]:
    """Return each column's interval; Wilson's is exact enough for coins, and the only quick one."""
    labels = units.groups, units.folds, units.seeds
    coins = [_are_coins(column, units) for column in values.T]
    drawn = np.full((1, len(coins)), np.nan)
    if not all(coins):
        drawn = Resampling(*labels).means(values)
    return [
        wilson(np.nansum(column), (~np.isnan(column)).sum())
        if coin
        else interval(column, means, *labels)
        for column, means, coin in zip(values.T, drawn.T, coins, strict=True)
    ]


def _cut(ends: Interval, lowest: float, highest: float) -> Interval:
    return Interval(max(ends.low, lowest), min(ends.high, highest))


def _are_coins(values: Floats, units: _Units) -> bool:
    """Whether all images are independent, and are right or wrong where they count."""
    known = values[~np.isnan(values)]
    alone = len(np.unique(units.groups)) == len(units.groups)
    return alone and bool(np.isin(known, (0, 1)).all())


def _both(first: Floats, second: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return who is right, of the images that count for both."""
    counted = ~np.isnan(first + second)
    return first[counted] == 1, second[counted] == 1


def _compare(first: Floats, second: Floats, units: _Units) -> float:
    if _are_coins(np.stack([first, second]), units):
        return mcnemar(*_both(first, second)).p
    return paired_test(first, second, units.groups, units.folds, units.seeds)
