"""Points in space as data for a page, whose reader turns them."""

import json

import numpy as np
from markupsafe import Markup

from xaibench.core.findings import Scatter
from xaibench.report.judging.analyses import Analysis
from xaibench.report.pictures.clouds import clouds_of

_AXES, _DIGITS = 3, 3


def turning_points(analysis: Analysis, figure: object) -> Markup:
    """Return the JSON that ``turn.js`` reads, empty for what isn't a plot of three dimensions.

    Each axis runs from -1, its smallest value, to 1, its largest, as in the still picture.
    """
    if not isinstance(figure, Scatter) or len(figure.columns) != _AXES:
        return Markup()
    clouds = clouds_of(analysis, figure)
    if not clouds:
        return Markup()
    points = np.concatenate([cloud.points for cloud in clouds])
    low, high = points.min(axis=0), points.max(axis=0)
    middle, reach = (low + high) / 2, np.where(high > low, (high - low) / 2, 1.0)
    data = {
        "axes": figure.columns,
        "clouds": [
            {
                "name": cloud.name,
                "color": cloud.color,
                "shape": cloud.shape,
                "points": ((cloud.points - middle) / reach).round(_DIGITS).tolist(),
            }
            for cloud in clouds
        ],
    }
    # Nothing in it may end the script.
    return Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"))
