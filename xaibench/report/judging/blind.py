"""The best control that never looks at the image, and whether rows are better than it."""

import numpy as np

from xaibench.report.facts.section import Section, mean
from xaibench.report.judging.tested import contradicted
from xaibench.results.records import RunRecord
from xaibench.stats.paired import holm
from xaibench.stats.pairwise import paired_tests

_UNCHANGED = "all_ones"


def blind_rows(section: Section, run: RunRecord, metric: str) -> dict[str, int]:
    """Return the place of each model's best blind control: its own, or any where it has none.

    That of the model ``""`` is the best of all. Empty where there is no such control.
    """
    found = mean(section.values[metric])
    blind = [
        place
        for place, row in enumerate(section.rows)
        if run.is_blind(row.method)
        and _could_lose(run, metric, row.method)
        and not np.isnan(found[place])
    ]
    return {
        model: max(
            [place for place in blind if section.rows[place].model == model] or blind,
            key=lambda place: run.metrics[metric].sign * found[place],
        )
        for model in {"", *(row.model for row in section.rows)}
        if blind
    }


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
    blind = blind_rows(section, run, metric)
    pairs = {
        place: blind[section.rows[place].model]
        for place in section.ranked
        if blind and not np.isnan(values[:, place]).all()
    }
    found = paired_tests(values, *section.clusters, pairs=pairs.items()).images
    tests = [
        np.nan if contradicted(values[:, [a, b]])[0, 1] else found[a, b] for a, b in pairs.items()
    ]
    return {
        place: (control, float(p))
        for (place, control), p in zip(pairs.items(), holm(tests), strict=True)
    }
