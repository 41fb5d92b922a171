"""What an analysis found: numbers, tables, and what figures of them show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from numpy.typing import NDArray

IMAGES = "images"
"""The table of the test images, a row for each in their order."""


@dataclass(frozen=True)
class Scatter:
    """The test images as points: two columns of their table, or three; ``by`` one colors them."""

    name: str
    title: str
    columns: tuple[str, ...]
    by: str = "class"


@dataclass(frozen=True)
class Lines:
    """Columns of a table over another one; ``chance`` draws the diagonal of a ROC curve, too."""

    name: str
    title: str
    table: str
    x: str
    y: tuple[str, ...]
    y_label: str
    chance: bool = False


@dataclass(frozen=True)
class Histogram:
    """Values of the test images in a histogram for each kind of them, with a mark at one value."""

    name: str
    title: str
    column: str
    by: str
    mark: float
    mark_label: str


@dataclass(frozen=True)
class PictureRows:
    """Pictures of `Findings.pixels` under headings, a row each.

    ``rows`` says what each shows, by default the first test images; ``key`` holds what colors
    stand for: their hexadecimal notation by name.
    """

    name: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[str, ...] = ()
    key: Mapping[str, str] = field(default_factory=dict)


Figure = Scatter | Lines | Histogram | PictureRows


@dataclass(frozen=True)
class Findings:
    """What an analysis returns.

    Attributes:
        quantities: by name a number, or one value for each test image ``(N,)``, NaN for those that
            don't count: the quantity is their mean, and they are what its interval is made from.
        images: more columns of the test images' table, ``(N,)`` each.
        tables: other tables by name.
        figures: what is drawn from these tables.
        pixels: of figures of pictures, by their name: ``(rows, columns, H, W, 3)`` uint8.
        pairs: quantities of the same test images whose difference is tested.
        notes: what a reader must know, such as an option that couldn't be kept.
    """

    quantities: Mapping[str, float | NDArray[Any]]
    images: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    pixels: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    pairs: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
