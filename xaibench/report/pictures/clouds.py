"""The points of a scatter plot by kinds, each with a color and a shape of its own."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xaibench.core.findings import IMAGES, Scatter
from xaibench.report.judging.analyses import Analysis
from xaibench.report.pictures.drawing import COLORS, SHAPES


class Cloud(NamedTuple):
    """Points ``(n, 2 or 3)`` of one kind."""

    name: str
    points: NDArray[np.float64]
    color: str
    shape: str


def clouds_of(analysis: Analysis, figure: Scatter) -> list[Cloud]:
    """Return the kinds of test images that have a place: classes in their order, else sorted."""
    images, columns = analysis.table(IMAGES), list(figure.columns)
    images = images[images[columns].notna().all(axis=1)]
    kinds = images[figure.by].astype(str)
    order = analysis.about.classes if figure.by == "class" else sorted(set(kinds), key=_natural)
    names = [name for name in order if (kinds == name).any()]
    return [
        Cloud(
            name,
            images.loc[kinds == name, columns].to_numpy(float),
            COLORS[number % len(COLORS)],
            SHAPES[number % len(SHAPES)],
        )
        for number, name in enumerate(names)
    ]


def _natural(name: str) -> tuple[int, str]:
    """Return a key that sorts numbers of clusters as numbers."""
    return len(name), name
