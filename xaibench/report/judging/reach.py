"""How far a row came between the best blind map and the ceiling of its grid."""

from dataclasses import dataclass

import numpy as np

from xaibench.report.facts.section import Floats, Section
from xaibench.report.judging.blind import blind_rows
from xaibench.results.records import RunRecord
from xaibench.stats.skill import skill

CEILING, ORACLE = "ceiling", "oracle"


@dataclass(frozen=True)
class Reach:
    """Of each row of a section, ``(M,)``; NaN for controls and where nobody measured.

    ``ceiling`` is what the truth scores on the row's grid, ``floor`` what the best control scores
    that looks at no image; ``share`` is 0 there and 1 at the ceiling.
    """

    ceiling: Floats
    floor: Floats
    share: Floats


def reach(section: Section, run: RunRecord, metric: str, found: Floats) -> Reach:
    """Return how far rows can come by a metric of localization.

    Args:
        section: the rows.
        run: with the control `ceiling`; runs of before have none, and no reach.
        metric: its name.
        found: the rows' means ``(M,)``.
    """
    ceiling, floor = (np.full(len(section.rows), np.nan) for _ in range(2))
    if run.metrics[metric].family == "localization" and CEILING in run.methods:
        bounds = {(row.model, row.method): at for at, row in enumerate(section.rows)}
        blind = blind_rows(section, run, metric)
        for place in section.ranked:
            row = section.rows[place]
            bound = CEILING if run.methods[row.method].family == "cam" else ORACLE
            upper = bounds.get((row.model, bound))
            if upper is not None and blind:
                ceiling[place], floor[place] = found[upper], found[blind[row.model]]
    better = run.metrics[metric].higher_is_better
    return Reach(ceiling, floor, skill(found, floor, ceiling, higher_is_better=better))
