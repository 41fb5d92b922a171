"""The board in a sentence or two."""

from collections.abc import Iterator, Mapping

import numpy as np

from xaibench.report.facts.section import Section
from xaibench.report.facts.traits import header, headlines
from xaibench.report.judging.judge import LEVEL, Judged, worse_than_blind
from xaibench.report.numbers import number
from xaibench.report.wording.conclusions import (
    all_alike,
    beware,
    name_of,
    order_rows,
    value_of,
)
from xaibench.results.records import RunRecord


def headline(section: Section, run: RunRecord, judged: Mapping[str, Judged]) -> Iterator[str]:
    """Yield Markdown on the first metric of each family: who leads, how far, and if blindly."""
    for metric in headlines(run):
        found = judged[metric]
        if why := (run.won or {}).get(metric):
            yield f"By {header(run, metric)}, no row leads: {why} (`xaibench diagnose --gaming`)."
        elif ranked := order_rows(section, run, found, metric):
            said = _leader(section, metric, found, ranked, run.metrics[metric].sign)
            blind = _blind(section, run, found, metric, ranked[0])
            odd = beware(section, metric, ranked[0])
            yield f"By {header(run, metric)}, {said}.{blind}{f' {odd}' if odd else ''}"


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
        return f"{named} has the best mean, {value}, but too few images stand behind it to tell"
    tied = sum(not found.p[leader, place] < LEVEL for place in others)
    if tied == len(others):
        return f"{named} has the best mean, {value}, but no other row can be told apart from it"
    if tied:
        return f"{named} leads with {value}, and {tied} of {len(others)} others tie with it"
    rest = f"all {len(others)} others" if len(others) > 1 else "the other row"
    return f"{named} leads with {value}, apart from {rest}"


def _blind(section: Section, run: RunRecord, found: Judged, metric: str, leader: int) -> str:
    """Say where the leader isn't better than the best control that never looks at the image."""
    if leader not in (compared := worse_than_blind(section, run, metric)):
        return ""
    blind, p = compared[leader]
    gain = run.metrics[metric].sign * (found.mean[leader] - found.mean[blind])
    if p < LEVEL and gain > 0:
        return ""
    beside = "is worse than" if p < LEVEL else "isn't shown to beat"
    control = f"`{section.rows[blind].method}`, {number(found.mean[blind])}"
    best = run.metrics[metric].limits[run.metrics[metric].higher_is_better]
    # All-ones leaves the image as it is, and loses no confidence.
    why = ", and can't do worse than that" if found.mean[blind] == best else ""
    return f" It {beside} {control}, which never looks at the image{why}."
