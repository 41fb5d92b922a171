"""The board in a sentence or two."""

from collections.abc import Iterator, Mapping

import numpy as np

from xaibench.report.facts.section import Section
from xaibench.report.facts.traits import Run, header, headlines
from xaibench.report.judging.judge import LEVEL, Judged
from xaibench.report.numbers import number, span
from xaibench.report.wording.conclusions import order_rows


def headline(section: Section, run: Run, judged: Mapping[str, Judged]) -> Iterator[str]:
    """Yield a Markdown sentence for the first metric of each family: who leads, and how far."""
    for metric in headlines(run):
        found = judged[metric]
        if ranked := order_rows(section, run, found, metric):
            yield f"By {header(run, metric)}, {_leader(section, found, ranked)}."


def _leader(section: Section, found: Judged, ranked: list[int]) -> str:
    leader, *others = ranked
    row = section.rows[leader]
    value = f"{number(found.mean[leader])} {span(found.low[leader], found.high[leader])}".strip()
    named = f"`{row.method}` on `{row.model}`"
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
