"""The answer of a run in a box: which method, how sure, beside what."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from xaibench.report.facts.dependence import INDEPENDENT
from xaibench.report.facts.proper_names import method_name, network_name
from xaibench.report.facts.section import Section
from xaibench.report.facts.traits import header, primary_metric, shown
from xaibench.report.judging.blind import beside_blind
from xaibench.report.judging.estimates import BoardRow
from xaibench.report.judging.judge import Judged
from xaibench.report.judging.reach import reach
from xaibench.report.judging.standing import order_rows
from xaibench.report.judging.tested import LEVEL
from xaibench.report.numbers import number, span
from xaibench.report.wording.conclusions import detectable_in
from xaibench.report.wording.row_names import name_of, names_of
from xaibench.results.records import RunRecord

NO_METHOD = "No method can be recommended"


class AnswerBox(NamedTuple):
    """What a box says: the method in large, why below it, and figures with their names."""

    method: str
    model: str
    because: str
    figures: list[tuple[str, str]]


def answer(
    section: Section, run: RunRecord, judged: Mapping[str, Judged], board: Sequence[BoardRow]
) -> AnswerBox | None:
    """Return the answer by the primary metric; None where no row has scores by it.

    Of a leader whose maps don't depend on the decision the box says so, and which row is the best
    of those whose maps do.
    """
    metric = primary_metric(run)
    if metric is None or not (ranked := order_rows(section, run, judged[metric], metric)):
        return None
    found, leader = judged[metric], ranked[0]
    row, by = section.rows[leader], header(run, metric)
    tied = [at for at in ranked[1:] if not found.p[leader, at] < LEVEL]
    blind = beside_blind(section, run, metric).get(leader)
    figures = [
        (f"{shown(run, metric)} of the best row", number(found.mean[leader])),
        ("95 % interval", span(found.low[leader], found.high[leader])),
    ]
    if blind is not None:
        control = section.rows[blind.control].method
        name = run.methods[control].title or method_name(control)
        figures.append((f"best blind control: {name}", number(found.mean[blind.control])))
    figures += _bounds(section, run, found, metric, ranked)
    if why := (run.won or {}).get(metric):
        return AnswerBox(NO_METHOD, "", f"By {by} no row leads: {why}.", figures)
    name = run.methods[row.method].title or method_name(row.method)
    if blind is not None and not blind.better:
        because = (
            f"By {by} the best row, {name}, is not significantly better than the best blind "
            "control, which never looks at the image."
        )
        return AnswerBox(NO_METHOD, "", because, figures)
    if not tied:
        others = len(ranked) - 1
        rest = f"all {others} other rows" if others > 1 else "the other row"
        because = (
            f"By {by} it is significantly different from {rest}."
            if others
            else f"It is the only row with a score by {by}."
        )
    else:
        because = f"Best mean by {by}. Not significantly different: {names_of(section, tied)}."
    because += _of_the_decision(section, found, ranked, board)
    return AnswerBox(name, network_name(row.model), because, figures)


def _of_the_decision(
    section: Section, found: Judged, ranked: list[int], board: Sequence[BoardRow]
) -> str:
    """Return what to add where the leader's maps stay as they are whatever the network decides."""
    measured = {(each.model, each.method): each.dependence for each in board}
    depends = [measured.get((section.rows[at].model, section.rows[at].method)) for at in ranked]
    if depends[0] is None or not depends[0] < INDEPENDENT:
        return ""
    said = (
        f" Its maps don't depend on the network's decision (dependence {number(depends[0])}): they "
        "show where an object is, and explain no decision."
    )
    for place, dependence in zip(ranked, depends, strict=True):
        if dependence is not None and dependence >= INDEPENDENT:
            mean = number(found.mean[place])
            return f"{said} Of maps that depend on it, {name_of(section, place)} is best: {mean}."
    return f"{said} No row has maps that are shown to depend on it."


def _bounds(
    section: Section, run: RunRecord, found: Judged, metric: str, ranked: list[int]
) -> list[tuple[str, str]]:
    """Return the ceiling and the minimum detectable difference, as far as they are known."""
    figures = []
    ceiling = reach(section, run, metric, found.mean).ceiling[ranked[0]]
    if not np.isnan(ceiling):
        figures.append(("ceiling: the true mask on its grid", number(ceiling)))
    if len(ranked) > 1:
        values = section.values[metric]
        gap = detectable_in(section, values[:, ranked[0]] - values[:, ranked[1]]).images
        if not np.isnan(gap) and gap > 0:
            figures.append(("minimum detectable difference (80 % power)", number(gap)))
    return figures
