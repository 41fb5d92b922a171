"""The best control that never looks at the image, and whether rows are better than it."""

import numpy as np

from xaibench.report.facts.section import Section, mean
from xaibench.report.judging.tested import contradicted
from xaibench.results.records import RunRecord
from xaibench.stats.paired import holm
from xaibench.stats.pairwise import paired_tests

_UNCHANGED = "all_ones"


def blind_row(section: Section, run: RunRecord, metric: str, model: str) -> int | None:
    """Return the place of the best blind control: of this model, or of any where it has none."""
    found = mean(section.values[metric])
    blind = [
        place
        for place, row in enumerate(section.rows)
        if run.is_blind(row.method)
        and _could_lose(run, metric, row.method)
        and not np.isnan(found[place])
    ]
    own = [place for place in blind if section.rows[place].model == model] or blind
    return max(own, key=lambda place: run.metrics[metric].sign * found[place], default=None)


def _could_lose(run: RunRecord, metric: str, method: str) -> bool:
    """Whether a control can score badly: what leaves the image as it is changes no confidence."""
    unchanged = method.partition("[")[0] == _UNCHANGED
    return not (unchanged and run.metrics[metric].family == "faithfulness")


def worse_than_blind(section: Section, run: RunRecord, metric: str) -> dict[int, tuple[int, float]]:
    """Compare each row that competes with its best blind control.

    Returns:
        Place -> (the control's place, p-value of the paired test under Holm's correction).
    """
    values = section.values[metric]
    pairs = {
        place: blind
        for place in section.ranked
        if (blind := blind_row(section, run, metric, section.rows[place].model)) is not None
        and not np.isnan(values[:, place]).all()
    }
    found = paired_tests(values, *section.clusters, pairs=pairs.items()).images
    tests = [
        np.nan if contradicted(values[:, [a, b]])[0, 1] else found[a, b] for a, b in pairs.items()
    ]
    return {
        place: (blind, float(p))
        for (place, blind), p in zip(pairs.items(), holm(tests), strict=True)
    }
