"""What all figures have in common. Nothing here touches pyplot's state."""

from pathlib import Path
from typing import Literal

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from xaibench.core.store import replacing

Colour = tuple[float, float, float, float]


def new_figure(
    size: tuple[float, float], dpi: float, layout: Literal["constrained"] | None = None
) -> Figure:
    """Return a white sheet of a width and a height in inches."""
    figure = Figure(figsize=size, dpi=dpi, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, folder: Path, name: str) -> None:
    """Save a figure as PNG and as SVG; the same figure is the same bytes.

    Raises:
        XaibenchError: the folder can't be written.
    """
    # Else an SVG holds the date and random names.
    with matplotlib.rc_context({"svg.hashsalt": name}):
        for ending, metadata in (("png", {}), ("svg", {"Date": None})):
            with replacing(folder / f"{name}.{ending}") as path:
                figure.savefig(path, format=ending, metadata=metadata)
