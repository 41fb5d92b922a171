"""Rows beside the leader by the primary metric: no worse than it by more than a margin?"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from xaibench.report.facts.section import Floats, Section
from xaibench.report.facts.traits import primary_metric
from xaibench.report.judging.judge import Judged
from xaibench.report.judging.standing import order_rows
from xaibench.results.records import RunRecord
from xaibench.stats.equivalence import Equivalence, equivalence_tests
from xaibench.stats.paired import holm


class BesideLeader(NamedTuple):
    """One-sided p-values of each row against the leader, ``(M,)``; NaN where nothing was tested.

    ``not_worse`` is that of noninferiority, ``equivalent`` the larger of two one-sided tests. Holm
    corrects each over the rows. They generalize as `Judged.p` does; ``_sets`` to new training sets.
    """

    not_worse: Floats
    equivalent: Floats
    not_worse_sets: Floats
    equivalent_sets: Floats


def margin_of(run: RunRecord) -> float:
    """Return the largest difference that doesn't matter, as declared before the run; 0: none."""
    return float(run.protocol.get("margin", 0))


def beside_leader(
    section: Section, run: RunRecord, judged: Mapping[str, Judged]
) -> BesideLeader | None:
    """Test all other rows against the leader; None without a margin, a leader or another row.

    The leader is chosen by the scores that are tested, so that its mean is rather too good: a row
    is shown to be noninferior less often than beside a leader that was known before.
    """
    metric, margin = primary_metric(run), margin_of(run)
    if not margin or metric is None or metric in (run.won or {}):
        return None
    leader, *others = order_rows(section, run, judged[metric], metric) or [-1]
    if not others:
        return None
    values = run.metrics[metric].sign * section.values[metric]
    found = equivalence_tests(
        values[:, others] - values[:, [leader]],
        *section.clusters,
        margin=margin,
        sets=section.training_sets,
    )
    columns = [_placed(p, others, len(section.rows)) for each in found for p in _corrected(each)]
    return BesideLeader(*columns)


def _corrected(found: Equivalence) -> tuple[Floats, Floats]:
    return holm(found.not_worse), holm(found.both)


def _placed(p: Floats, places: list[int], count: int) -> Floats:
    column = np.full(count, np.nan)
    column[places] = p
    return column
