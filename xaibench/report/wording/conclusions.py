"""What a board allows one to say, in plain words: leaders, ties, what is worse than blind."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from xaibench.core.supervision import Supervision
from xaibench.report.facts.section import Floats, Section
from xaibench.report.facts.supervision import SEGMENTATION, is_upper_bound, supervision_of
from xaibench.report.facts.traits import header, headlines
from xaibench.report.judging.judge import LEVEL, Judged, worse_than_blind
from xaibench.report.numbers import number, span
from xaibench.results.records import RunRecord
from xaibench.stats.power import detectable_difference

_NAMED = 6
_ROUNDING = 1e-7
_FEW_SEEDS = 3


def conclusions(section: Section, run: RunRecord, judged: Mapping[str, Judged]) -> Iterator[str]:
    """Yield Markdown sentences on the first metric of each family, and on how far they carry."""
    for metric in headlines(run):
        ranked = order_rows(section, run, judged[metric], metric)
        if ranked:
            yield " ".join(_metric(section, run, judged[metric], metric, ranked))
    yield from _reach(section, run)


def order_rows(section: Section, run: RunRecord, found: Judged, metric: str) -> list[int]:
    """Order rows that compete from the best, those that lack images behind those that have all."""
    places = [place for place in section.ranked if not np.isnan(found.mean[place])]
    whole = section.whole(metric)
    return sorted(
        places, key=lambda place: (not whole[place], -run.metrics[metric].sign * found.mean[place])
    )


def _metric(
    section: Section, run: RunRecord, found: Judged, metric: str, ranked: list[int]
) -> Iterator[str]:
    family = run.metrics[metric].family.capitalize()
    values = section.values[metric][:, ranked]
    maps = (~np.isnan(values)).sum(axis=0)
    counts = f"{maps.min()}" if maps.min() == maps.max() else f"{maps.min()} to {maps.max()}"
    yield (
        f"**{family}, by {header(run, metric)}** ({counts} maps a row, of "
        f"{section.count_groups(values).max()} independent images or groups of them):"
    )
    leader, others = ranked[0], ranked[1:]
    if why := (run.won or {}).get(metric):
        yield f"**No row leads**: {why} (`xaibench diagnose --gaming`)."
        return
    if others and all_alike(values):
        same = value_of(found, leader)
        yield f"all {len(ranked)} rows have the same scores on all images, {same}."
        return
    if not others:
        yield f"the only row, {name_of(section, leader)}, has {value_of(found, leader)}."
    else:
        yield f"{name_of(section, leader)} leads with {value_of(found, leader)}."
        yield from _ties(section, found, leader, others, run.metrics[metric].sign)
        yield from _detectable(section, values)
    if said := beware(section, metric, leader):
        yield f"**{said}**"
    yield from _without_masks(section, run, found, ranked)
    yield from _blind(section, run, found, metric)
    if len(set(maps)) > 1:
        yield (
            "Rows were scored on different numbers of maps: tests compare only what both have, and "
            "only rows that have all can lead."
        )


def all_alike(values: Floats) -> bool:
    """Whether all columns of ``(N, M)`` are the same, but for rounding."""
    return np.allclose(values, values[:, :1], rtol=0, atol=_ROUNDING, equal_nan=True)


def beware(section: Section, metric: str, leader: int) -> str:
    """Say so where most maps of the leading row are none: where little is good, nothing wins."""
    odd, maps = section.rows[leader].degenerate, int(section.present[metric][:, leader].sum())
    return f"{odd} of its {maps} maps are constant or not finite." if 2 * odd > maps else ""


def _ties(
    section: Section, found: Judged, leader: int, others: list[int], way: int
) -> Iterator[str]:
    differ = [place for place in others if found.p[leader, place] < LEVEL]
    ahead = [at for at in differ if way * (found.mean[at] - found.mean[leader]) > 0]
    if ahead:
        yield f"Better on the images that they have, not on all: {_names(section, ahead)}."
        others = [place for place in others if place not in ahead]
    tied = [place for place in others if place not in differ]
    if not tied:
        every = f"all {len(others)} other rows" if len(others) > 1 else "the other row"
        yield f"It differs from {every} (p < 0.05 after correction)."
    elif len(tied) == len(others):
        yield (
            f"None of the {len(others)} other rows can be told apart from it, so it has not won."
            if len(others) > 1
            else "The other row can't be told apart from it, so it has not won."
        )
    else:
        worse = len(others) - len(tied)
        yield (
            f"Not told apart from it: {_names(section, tied)}; the other "
            f"{f'{worse} are' if worse > 1 else 'one is'} worse (p < 0.05 after correction)."
        )


def _detectable(section: Section, values: Floats) -> Iterator[str]:
    """Say what difference from the leader, in the first column, such a run could show."""
    pairs = values.shape[1] * (values.shape[1] - 1) // 2
    gaps = [values[:, 0] - other for other in values[:, 1:].T]
    varied = [gap for gap in gaps if np.nan_to_num(gap).any()]
    single, corrected = (
        np.median([detectable_difference(gap, *section.clusters, level=level) for gap in varied])
        for level in (LEVEL, LEVEL / pairs)
    )
    if single < _ROUNDING:  # every row lies apart from the leader by the same on all images
        return
    if np.isnan(single):
        yield "There are too few independent images to test anything."
        return
    more = f", {corrected:.2g} under the correction for {pairs} pairs" if pairs > 1 else ""
    yield (
        "Smallest difference from the leader that such a run would find four times in five: "
        f"{single:.2g} for one pair alone{more}."
    )


def _without_masks(
    section: Section, run: RunRecord, found: Judged, ranked: list[int]
) -> Iterator[str]:
    """Name the best row that has learned nothing from masks, where the leader has."""
    learned = supervision_of(run, section.dataset, [row[:2] for row in section.rows])
    free = [place for place in ranked if not _saw_masks(learned[place], section.rows[place].kind)]
    leader = learned[ranked[0]]
    if leader and leader.localizes:
        best = (
            f"{name_of(section, free[0])}, {value_of(found, free[0])}" if free else "there is none"
        )
        yield f"The leader has learned from {leader.kind}; best without: {best}."


def _saw_masks(learned: Supervision | None, kind: str) -> bool:
    """Whether a row learned from masks or boxes; a learned one that doesn't say it may have."""
    return learned.localizes if learned else kind == "learned"


def _blind(section: Section, run: RunRecord, found: Judged, metric: str) -> Iterator[str]:
    compared = worse_than_blind(section, run, metric)
    if not compared:
        return
    clearly, unsure = [], []
    for place, (blind, p) in compared.items():
        gain = run.metrics[metric].sign * (found.mean[place] - found.mean[blind])
        if p < LEVEL and gain < 0:
            clearly.append(place)
        elif not p < LEVEL:
            unsure.append(place)
    controls = dict.fromkeys(
        f"`{section.rows[blind].method}` {number(found.mean[blind])}"
        for blind, _ in compared.values()
    )
    yield f"Best control that never looks at the image: {' or '.join(controls)}."
    if clearly:
        yield f"**Worse than it**: {_names(section, clearly)}."
    if unsure:
        yield f"Not told apart from it: {_names(section, unsure)}."
    if not clearly and not unsure:
        yield "All rows are better than it."


def _reach(section: Section, run: RunRecord) -> Iterator[str]:
    seeds, folds = section.units["seed"].nunique(), section.units["fold"].nunique()
    yield (
        "One training seed only: intervals and tests speak of other images, not of other trainings."
        if seeds == 1
        else f"{seeds} training seeds: intervals and tests speak of other images and trainings"
        f"{', of which so few seeds can say little' if seeds < _FEW_SEEDS else ''}."
    ) + (f" All {folds} folds are pooled." if folds > 1 else "")
    if not any(is_upper_bound(run, section.dataset, row.model, row.method) for row in section.rows):
        yield (
            "No skill is given: it needs the upper bound of a network trained to segment from all "
            f"masks (`{SEGMENTATION}` on `fcn8`), and the oracle is none."
        )


def name_of(section: Section, place: int) -> str:
    """Write a row's method and model."""
    row = section.rows[place]
    return f"`{row.method}` on `{row.model}`"


def _names(section: Section, places: Iterable[int]) -> str:
    """Name rows by model; of many the first few."""
    chosen = list(places)
    by_model: dict[str, list[str]] = {}
    for place in chosen[:_NAMED]:
        by_model.setdefault(section.rows[place].model, []).append(f"`{section.rows[place].method}`")
    text = "; ".join(f"{', '.join(names)} on `{model}`" for model, names in by_model.items())
    more = len(chosen) - _NAMED
    return f"{text} and {more} more" if more > 0 else text


def value_of(found: Judged, place: int) -> str:
    """Write a row's mean and its interval."""
    text = f"{number(found.mean[place])} {span(found.low[place], found.high[place])}"
    return text.strip()
