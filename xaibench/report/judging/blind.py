"""The best control that never looks at the image, and whether rows are better than it."""

from typing import NamedTuple

import numpy as np

from xaibench.report.facts.section import Section, mean
from xaibench.report.judging.tested import LEVEL, contradicted
from xaibench.results.records import RunRecord
from xaibench.stats.paired import holm
from xaibench.stats.pairwise import paired_tests

_UNCHANGED = "all_ones"


class BesideBlind(NamedTuple):
    """A row beside its best blind control.

    Attributes:
        control: the control's place.
        gain: how much better the row's mean is than the control's; below 0 it is worse.
        p: of the paired test, under Holm's correction.
    """

    control: int
    gain: float
    p: float

    @property
    def better(self) -> bool:
        """Whether the row is significantly better."""
        return self.p < LEVEL and self.gain > 0


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


def beside_blind(section: Section, run: RunRecord, metric: str) -> dict[int, BesideBlind]:
    """Compare each row that competes, by its place, with its best blind control."""
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
    gains = run.metrics[metric].sign * mean(values)
    return {
        place: BesideBlind(control, float(gains[place] - gains[control]), float(p))
        for (place, control), p in zip(pairs.items(), holm(tests), strict=True)
    }
