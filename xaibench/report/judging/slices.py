"""Scores on parts of the test images, such as one class or large masks."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaibench.core.threads import map_by_threads
from xaibench.report.facts.material import Material
from xaibench.report.facts.section import Floats, Section, mean
from xaibench.report.judging.judge import DRAWS, bounded_intervals
from xaibench.report.judging.parts import Subgroup, parts
from xaibench.results.records import RunRecord
from xaibench.stats.clusters import count_groups
from xaibench.stats.resampling import Resampling

FEWEST_GROUPS = 10
"""Independent images below which a slice's mean isn't shown."""

COLUMNS = [
    "dataset",
    "split",
    "slice",
    "part",
    "bounds",
    "model",
    "method",
    "kind",
    "metric",
    "value",
    "n",
    "undefined",
    "groups",
    "low",
    "high",
]


def slices(section: Section, material: Material) -> pd.DataFrame:
    """Return the mean, its interval and counts of each row by each metric on each part.

    Pooled estimands are left out: what an image adds to the whole says nothing of a part. Without
    predictions there are no slices.

    Returns:
        Columns `COLUMNS`; rows with fewer than `FEWEST_GROUPS` independent images have counts only.
    """
    run = material.run
    metrics = [name for name, about in run.metrics.items() if not about.is_pooled]
    if not metrics:
        return pd.DataFrame(columns=COLUMNS)
    models = sorted({row.model for row in section.rows})
    of_row = [models.index(row.model) for row in section.rows]
    there = [part for part in parts(section, material, models) if part.chosen.any()]

    def act(part: Subgroup) -> pd.DataFrame:
        return _part(section, part, part.chosen[:, of_row], section.values, run, metrics)

    found = list(map_by_threads(act, there))
    if run.several_labels:
        classes = [part.chosen[:, of_row] for part in there if part.slice == "class"]
        found += [_macro(section, classes, run, metrics)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)


def _macro(
    section: Section,
    classes: Sequence[NDArray[np.bool_]],
    run: RunRecord,
    metrics: Sequence[str],
) -> pd.DataFrame:
    """Return the mean over classes of each class's mean, where images may show several.

    A value of a class with n_c of N values counts N / (K n_c), so that the values' mean is that;
    K classes have values. The board's own mean counts all values alike.
    """
    weighed = {}
    for metric in metrics:
        values = section.values[metric]
        defined = [~np.isnan(values) & chosen for chosen in classes]
        counts = [each.sum(axis=0) for each in defined]
        share = np.sum(counts, axis=0) / np.maximum(np.sum([n > 0 for n in counts], axis=0), 1)
        weighed[metric] = np.full(values.shape, np.nan)
        for each, count in zip(defined, counts, strict=True):
            scaled = values * (share / np.maximum(count, 1))
            weighed[metric][each] = scaled[each]
    every = np.ones((len(section.units), len(section.rows)), bool)
    part = Subgroup("classes", "macro mean", "the mean over classes of each class's mean", every)
    return _part(section, part, every, weighed, run, metrics)


def _part(
    section: Section,
    part: Subgroup,
    chosen: NDArray[np.bool_],
    given: Mapping[str, Floats],
    run: RunRecord,
    metrics: Sequence[str],
) -> pd.DataFrame:
    inside = chosen.any(axis=1)
    chosen = chosen[inside]
    group, fold, seed = (each[inside] for each in section.clusters)
    of_metric = {m: np.where(chosen, given[m][inside], np.nan) for m in metrics}
    groups = {m: count_groups(of_metric[m], group) for m in metrics}
    shown = {m: groups[m] >= FEWEST_GROUPS for m in metrics}
    stacked = np.concatenate([of_metric[m][:, shown[m]] for m in metrics], axis=1)
    drawn = Resampling(group, fold, seed, draws=DRAWS).means(stacked) if stacked.size else stacked
    bounds = np.concatenate(
        [np.tile(run.metrics[m].limits, (int(shown[m].sum()), 1)) for m in metrics]
    )
    found = bounded_intervals(stacked, drawn, (group, fold, seed), (bounds[:, 0], bounds[:, 1]))
    lines, start = [], 0
    for metric in metrics:
        values, count = of_metric[metric], int(shown[metric].sum())
        present = chosen & section.present[metric][inside]
        ends = np.full((2, len(section.rows)), np.nan)
        ends[:, shown[metric]] = [end[start : start + count] for end in found]
        start += count
        defined = (~np.isnan(values)).sum(axis=0)
        lines.append(
            pd.DataFrame(
                {
                    "dataset": section.dataset,
                    "split": section.split,
                    "slice": part.slice,
                    "part": part.name,
                    "bounds": part.bounds,
                    "model": [row.model for row in section.rows],
                    "method": [row.method for row in section.rows],
                    "kind": [row.kind for row in section.rows],
                    "metric": metric,
                    "value": np.where(shown[metric], mean(values), np.nan),
                    "n": defined,
                    "undefined": present.sum(axis=0) - defined,
                    "groups": groups[metric],
                    "low": ends[0],
                    "high": ends[1],
                }
            )
        )
    return pd.concat(lines, ignore_index=True)
