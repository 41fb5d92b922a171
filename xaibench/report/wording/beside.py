"""Equivalence with the leader in words: a column of the board, and sentences."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from xaibench.report.facts.section import Section
from xaibench.report.facts.traits import header, primary_metric
from xaibench.report.judging.estimates import BESIDE, BoardRow, Estimate
from xaibench.report.judging.judge import Judged
from xaibench.report.judging.noninferior import margin_of
from xaibench.report.judging.standing import order_rows
from xaibench.report.judging.tested import LEVEL
from xaibench.report.numbers import NONE
from xaibench.report.wording.board_table import BoardCell
from xaibench.report.wording.row_names import name_of, names_of
from xaibench.results.records import RunRecord

ABOUT = (
    "- `within {margin:g} of the best` says of the primary metric whether a row is shown to be "
    "noninferior to the leader (a one-sided test that it is no worse by that margin or more) or "
    "equivalent (two one-sided tests, so no better either); p < 0.05 after Holm's correction over "
    "the rows. Not to differ significantly is neither."
)


def margin_shown(rows: Sequence[BoardRow], run: RunRecord, metric: str) -> float:
    """Return the margin by which a metric's rows were tested for equivalence; 0 without."""
    known = not all(np.isnan(row.estimates[metric].noninferiority_p) for row in rows)
    return margin_of(run) if known else 0


def beside_cell(estimate: Estimate) -> BoardCell:
    """Say what was shown of a row; nothing of the leader."""
    p = estimate.noninferiority_p
    if np.isnan(p):
        return BoardCell(NONE)
    shown = "noninferior" if p < LEVEL else "not shown"
    return BoardCell("equivalent" if estimate.equivalence_p < LEVEL else shown, value=p)


def beside_sentences(
    section: Section, run: RunRecord, judged: Mapping[str, Judged], board: Sequence[BoardRow]
) -> Iterator[str]:
    """Yield Markdown on which rows are no worse than the leader by more than the margin."""
    metric = primary_metric(run)
    if metric is None or not (margin := margin_shown(board, run, metric)):
        return
    leader, *_ = order_rows(section, run, judged[metric], metric)
    p, p_equal, p_sets, _ = np.array(
        [[getattr(row.estimates[metric], name) for name in BESIDE] for row in board]
    ).T
    differ = judged[metric].p[leader] < LEVEL
    shown, equal, tested = p < LEVEL, p_equal < LEVEL, ~np.isnan(p)
    yield f"Within {margin:g} of {name_of(section, leader)} by {header(run, metric)}:"
    yield f"{_named(section, equal)} equivalent (two one-sided tests);"
    yield f"{_named(section, shown & ~equal)} noninferior, without being shown to be no better;"
    neither = tested & ~shown & ~differ
    yield f"{_named(section, neither)} neither significantly different nor shown to be noninferior."
    if not np.isnan(p_sets).all():
        kept = shown & (p_sets < LEVEL)
        yield f"With new training sets, too, {_named(section, kept)} noninferior."


def _named(section: Section, rows: np.ndarray) -> str:
    places = np.flatnonzero(rows).tolist()
    if not places:
        return "none is"
    return f"{names_of(section, places)} {'is' if len(places) == 1 else 'are'}"
