"""The board in a sentence or two."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from xaibench.report.facts.section import Section
from xaibench.report.facts.traits import header, headlines, primary_metric
from xaibench.report.judging.blind import beside_blind
from xaibench.report.judging.judge import Judged
from xaibench.report.judging.reach import reach
from xaibench.report.judging.standing import all_alike, order_rows, other_leaders
from xaibench.report.judging.tested import LEVEL
from xaibench.report.numbers import number
from xaibench.report.wording.conclusions import beware
from xaibench.report.wording.row_names import name_of, value_of
from xaibench.results.records import RunRecord


def headline(section: Section, run: RunRecord, judged: Mapping[str, Judged]) -> Iterator[str]:
    """Yield Markdown on the primary metric, and on the first of each other family.

    Who leads and how far, what the best blind control has, how far the truth itself comes on the
    leader's grid, and for the primary metric whether the family's other metrics have the same row
    first.
    """
    primary = primary_metric(run)
    for metric in headlines(run):
        found = judged[metric]
        if why := (run.won or {}).get(metric):
            yield f"By {header(run, metric)}, no row leads: {why} (`xaibench diagnose --gaming`)."
        elif ranked := order_rows(section, run, found, metric):
            said = _leader(section, metric, found, ranked, run.metrics[metric].sign)
            blind = _blind(section, run, found, metric, ranked[0])
            odd = beware(section, metric, ranked[0])
            order = _order(section, run, judged, metric) if metric == primary else ""
            top = _ceiling(section, run, found, metric, ranked[0])
            yield f"By {header(run, metric)}, {said}.{blind}{top}{order}{f' {odd}' if odd else ''}"


def _leader(section: Section, metric: str, found: Judged, ranked: list[int], way: int) -> str:
    leader, *others = ranked
    value, named = value_of(found, leader), name_of(section, leader)
    # Rows that lack images can't lead, whatever their means.
    if ahead := sum(way * (found.mean[place] - found.mean[leader]) > 0 for place in others):
        value += f" (of the rows that have all images; {ahead} with fewer: a better mean)"
    if others and all_alike(section.values[metric][:, ranked]):
        return f"all {len(ranked)} rows have the same scores, {value}"
    if not others:
        return f"the only row, {named}, has {value}"
    if np.isnan(found.p[leader, others]).all():
        return f"{named} has the best mean, {value}, but too few images for a test"
    tied = sum(not found.p[leader, place] < LEVEL for place in others)
    if tied == len(others):
        return f"{named} has the best mean, {value}; no row is significantly different from it"
    if tied:
        return f"{named} leads with {value}, and {tied} of {len(others)} others tie with it"
    rest = f"all {len(others)} others" if len(others) > 1 else "the other row"
    return f"{named} leads with {value}, apart from {rest}"


def _blind(section: Section, run: RunRecord, found: Judged, metric: str, leader: int) -> str:
    """Name the best control that never looks at the image; say where the leader isn't better."""
    test = beside_blind(section, run, metric).get(leader)
    if test is None:
        return ""
    control = f"`{section.rows[test.control].method}`, {number(found.mean[test.control])}"
    if test.better:
        return f" The best blind control is {control}."
    beside = "is worse than" if test.p < LEVEL else "is not significantly better than"
    return f" It {beside} {control}, which never looks at the image."


def _ceiling(section: Section, run: RunRecord, found: Judged, metric: str, leader: int) -> str:
    """Say what the true mask reaches on the grid of a leader that is a CAM, if it is known."""
    if run.methods[section.rows[leader].method].family != "cam":
        return ""  # a map of as many cells as the image has no grid that binds
    ceiling = reach(section, run, metric, found.mean).ceiling[leader]
    return "" if np.isnan(ceiling) else f" On its grid the true mask reaches {number(ceiling)}."


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _order(section: Section, run: RunRecord, judged: Mapping[str, Judged], metric: str) -> str:
    """Say whether the family's other metrics have another row first."""
    leader, *others = leaders = other_leaders(section, run, judged, metric)
    if others:
        said = (
            f"{name_of(section, place)} leads by {_listed([f'`{m}`' for m in leaders[place]])}"
            for place in others
        )
        return f" The order depends on the metric: {'; '.join(said)}."
    count = len(leaders[leader])
    return f" It also leads by all {count} other {run.metrics[metric].family} metrics." * (
        count > 1
    )
