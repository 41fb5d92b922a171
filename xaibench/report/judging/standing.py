"""Who leads by which metric: rows from the best, and whether metrics of one family agree."""

from collections.abc import Mapping

import numpy as np

from xaibench.report.facts.section import Floats, Section
from xaibench.report.facts.traits import metrics_of
from xaibench.report.judging.judge import Judged
from xaibench.results.records import RunRecord

_ROUNDING = 1e-7


def order_rows(section: Section, run: RunRecord, found: Judged, metric: str) -> list[int]:
    """Order rows that compete from the best, those that lack images behind those that have all."""
    places = [place for place in section.ranked if not np.isnan(found.mean[place])]
    whole = section.whole(metric)
    return sorted(
        places, key=lambda place: (not whole[place], -run.metrics[metric].sign * found.mean[place])
    )


def all_alike(values: Floats) -> bool:
    """Whether all columns of ``(N, M)`` are the same, but for rounding."""
    return np.allclose(values, values[:, :1], rtol=0, atol=_ROUNDING, equal_nan=True)


def other_leaders(
    section: Section, run: RunRecord, judged: Mapping[str, Judged], metric: str
) -> dict[int, list[str]]:
    """Return who leads by the family's other ranked metrics: place -> metrics, the leader first.

    A row whose scores are those of the leader by ``metric`` counts as this one. No row leads by a
    metric that maps without a network win.
    """
    (leader, *_) = order_rows(section, run, judged[metric], metric) or [-1]
    found: dict[int, list[str]] = {leader: []}
    for other in metrics_of(run, run.metrics[metric].family, ranked=True):
        ranked = order_rows(section, run, judged[other], other)
        if other in (metric, *(run.won or {})) or len(ranked) < 2 or leader not in ranked:  # noqa: PLR2004
            continue
        values = section.values[other]
        same = all_alike(values[:, [leader, ranked[0]]])
        found.setdefault(leader if same else ranked[0], []).append(other)
    return found
