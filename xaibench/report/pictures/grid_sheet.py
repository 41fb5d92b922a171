"""The sheet on which a grid of pictures is put together, all of them in one raster."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray
from PIL import Image

from xaibench.report.pictures.fonts import complete_fonts
from xaibench.report.pictures.outline import COLOR, Polyline

CELL = 1.5  # inches
FONT, DPI = 7.5, 142


class GridSheet:
    """A page measured in inches from its top left corner; all pictures in it are one raster."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure((width, height), dpi=DPI, facecolor="none")
        self._canvas: Any = FigureCanvasAgg(self.figure)
        self.height = height
        columns, rows = self._canvas.get_width_height()
        self._pixels = np.full((rows, columns, 3), 255, np.uint8)
        self._lines: dict[float, list[NDArray[np.float64]]] = {}

    def paste(self, left: float, top: float, picture: NDArray[np.uint8]) -> None:
        """Put pixels as they are."""
        rows, columns = picture.shape[:2]
        y, x = round(top * DPI), round(left * DPI)
        self._pixels[y : y + rows, x : x + columns] = picture

    def outline(
        self, left: float, top: float, height: float, grades: Sequence[Sequence[Polyline]]
    ) -> None:
        """Draw the outlines of a mask over a cell, the highest grade's the widest."""
        for grade, lines in enumerate(grades, 1):
            width = 1.1 if grade == len(grades) else 0.6
            self._lines.setdefault(width, []).extend(
                np.column_stack((left + CELL * x, self.height - top - height * y))
                for x, y in (line.T for line in lines)
            )

    def write(self, left: float, top: float, text: str, **style: Any) -> None:
        """Write plain text."""
        place = left, self.height - top
        self.figure.text(
            *place,
            text,
            transform=self.figure.dpi_scale_trans,
            parse_math=False,
            **{"size": FONT, **style},
        )

    def save(self, path: Path) -> None:
        """Write a PNG.

        Raises:
            OSError: it can't be written.
        """
        for width, lines in self._lines.items():
            drawn = LineCollection(
                lines, colors=COLOR, linewidths=width, transform=self.figure.dpi_scale_trans
            )
            drawn.set_path_effects([Stroke(linewidth=width + 0.9, foreground="black"), Normal()])
            self.figure.add_artist(drawn)
        complete_fonts(self.figure)
        # Through matplotlib the raster itself would take ten times as long.
        self._canvas.draw()
        written = Image.fromarray(np.asarray(self._canvas.buffer_rgba()))
        sheet = Image.fromarray(self._pixels)
        sheet.paste(written, (0, 0), written)
        sheet.save(path, "png", compress_level=3)
