"""What a board allows one to say, in plain words: leaders, ties, what is worse than blind."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from xaibench.core.supervision import Supervision
from xaibench.report.facts.section import Floats, Section
from xaibench.report.facts.supervision import supervision_of
from xaibench.report.facts.traits import header, headlines
from xaibench.report.judging.blind import beside_blind
from xaibench.report.judging.estimates import BoardRow
from xaibench.report.judging.judge import Judged
from xaibench.report.judging.planning import design_where
from xaibench.report.judging.reach import reach
from xaibench.report.judging.standing import all_alike, order_rows
from xaibench.report.judging.tested import LEVEL
from xaibench.report.numbers import number
from xaibench.report.wording.beside import beside_sentences
from xaibench.report.wording.row_names import name_of, names_of, value_of
from xaibench.report.wording.scope import scope
from xaibench.results.records import RunRecord
from xaibench.stats.power import Detectable, components, detectable

_ROUNDING = 1e-7
_MOST_GAPS = 4
# Share of the way from blind to perfect that a grid may cost before it is called coarse.
_COARSE = 0.25


def conclusions(
    section: Section, run: RunRecord, judged: Mapping[str, Judged], board: Sequence[BoardRow]
) -> Iterator[str]:
    """Yield Markdown sentences on the first metric of each family, and on how far they carry."""
    for metric in headlines(run):
        ranked = order_rows(section, run, judged[metric], metric)
        if ranked:
            yield " ".join(_metric(section, run, judged[metric], metric, ranked))
    if said := " ".join(beside_sentences(section, run, judged, board)):
        yield said
    yield from scope(section, run, judged)


def _metric(
    section: Section, run: RunRecord, found: Judged, metric: str, ranked: list[int]
) -> Iterator[str]:
    family = run.metrics[metric].family.capitalize()
    values = section.values[metric][:, ranked]
    maps = (~np.isnan(values)).sum(axis=0)
    counts = f"{maps.min()}" if maps.min() == maps.max() else f"{maps.min()} to {maps.max()}"
    yield (
        f"**{family}, by {header(run, metric)}** ({counts} maps per row, from "
        f"{section.count_groups(values).max()} independent groups of images):"
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
    yield from _ceilings(section, run, found, metric)
    if len(set(maps)) > 1:
        yield (
            "Rows were scored on different numbers of maps: tests compare only what both have, and "
            "only rows that have all can lead."
        )


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
        yield f"Better on the images that they have, not on all: {names_of(section, ahead)}."
        others = [place for place in others if place not in ahead]
    tied = [place for place in others if place not in differ]
    if not tied:
        every = f"all {len(others)} other rows" if len(others) > 1 else "the other row"
        yield f"It is significantly different from {every} (p < 0.05, Holm)."
    elif len(tied) == len(others):
        yield (
            f"None of the {len(others)} other rows is significantly different from it: there "
            "is no clear winner."
            if len(others) > 1
            else "The other row is not significantly different from it: there is no clear winner."
        )
    else:
        worse = len(others) - len(tied)
        yield (
            f"Not significantly different from it: {names_of(section, tied)}; the other "
            f"{f'{worse} are' if worse > 1 else 'one is'} worse (p < 0.05, Holm)."
        )


def _detectable(section: Section, values: Floats) -> Iterator[str]:
    """Say what difference from the leader, in the first column, such a run could show."""
    pairs = values.shape[1] * (values.shape[1] - 1) // 2
    all_gaps = [values[:, 0] - other for other in values[:, 1 : 1 + _MOST_GAPS].T]
    gaps = [gap for gap in all_gaps if np.nan_to_num(gap).any()]
    if not gaps:  # those next to the leader score exactly the same
        return
    single, over_sets = np.median([detectable_in(section, gap) for gap in gaps], axis=0)
    if single < _ROUNDING:  # every row lies apart from the leader by the same on all images
        return
    if np.isnan(single):
        yield "Too few independent images for any test."
        return
    corrected = np.median(
        [detectable_in(section, gap, LEVEL / pairs).images for gap in gaps]
        if pairs > 1
        else [np.nan]
    )
    more = f", {corrected:.2g} with Holm's correction for {pairs} pairs" if pairs > 1 else ""
    yield (
        "Minimum detectable difference from the leader (80 % power, simulated for this design): "
        f"{single:.2g} for one pair alone{more}"
        + (f"; {over_sets:.2g} with new training sets." if not np.isnan(over_sets) else ".")
    )


def detectable_in(section: Section, gap: Floats, level: float = LEVEL) -> Detectable:
    """Return the minimum detectable differences of a section's design, for a pair's differences."""
    known = ~np.isnan(gap)
    design = design_where(section, known)
    if design.units.group.max(initial=0) < 1:
        return Detectable(np.nan, np.nan)
    return detectable(components(gap[known], design), design, level=level)


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
    compared = beside_blind(section, run, metric)
    if not compared:
        return
    clearly, unsure = [], []
    for place, test in compared.items():
        if not test.p < LEVEL:
            unsure.append(place)
        elif test.gain < 0:
            clearly.append(place)
    controls = dict.fromkeys(
        f"`{section.rows[test.control].method}` {number(found.mean[test.control])}"
        for test in compared.values()
    )
    yield f"Best blind control (never looks at the image): {' or '.join(controls)}."
    if clearly:
        yield f"**Worse than it**: {names_of(section, clearly)}."
    if unsure:
        yield f"Not significantly different from it: {names_of(section, unsure)}."
    if not clearly and not unsure:
        yield "All rows are better than it."


def _ceilings(section: Section, run: RunRecord, found: Judged, metric: str) -> Iterator[str]:
    """Say how high a map on the CAM layer's grid can come, and what to do where that is low."""
    limit = run.metrics[metric].limits[run.metrics[metric].higher_is_better]
    bounds = reach(section, run, metric, found.mean)
    told = {
        section.rows[place].model: (bounds.ceiling[place], bounds.floor[place])
        for place in section.ranked
        if run.methods[section.rows[place].method].family == "cam"
        and not np.isnan(bounds.ceiling[place])
    }
    for model, (ceiling, floor) in told.items():
        coarse = abs(limit - ceiling) > _COARSE * abs(limit - floor)
        yield (
            f"On the grid of the CAM layer of `{model}` the true mask reaches "
            f"{number(ceiling)}, and the best blind map {number(floor)}."
        ) + (
            " So coarse a grid limits the score: a layer with a stride of 16 (`--layer`; `xaibench "
            "layers MODEL` shows them) or a larger `--image-size` makes it finer."
            if coarse
            else ""
        )
