"""What the gallery shows of one test image, in plain words and numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from xaibench.report.page.gallery_pixels import Packed, Preview

_MARKUP = 1200  # characters that a tile takes beside its pixels


@dataclass(frozen=True)
class Tile:
    """One map: ``model`` and ``right`` are empty where a map is the same for all models.

    ``levels`` is its place among the sample's packed maps, ``note`` what is wrong with it,
    ``difference`` how far its IoU lies from the one in ``scores.csv``, None where either is
    undefined or not scored.
    """

    method: str
    model: str
    kind: str
    right: str
    note: str
    scores: Sequence[tuple[str, str]]
    levels: int
    difference: float | None


@dataclass(frozen=True)
class Verdict:
    """What a model said of an image; ``right`` is ``right``, ``wrong`` or empty."""

    model: str
    words: str
    right: str


@dataclass(frozen=True)
class Pictured:
    """An image with all that is shown of it.

    Attributes:
        name: the sample's id; ``label`` its class, or the one that is explained.
        truth: whether the image shows that class, in words; empty where it has one label.
        image: the image's id, which several classes may share; ``first`` of which this one is.
        classes: those that the image has maps of, where it may show several.
        reasons: in words why it was chosen, by way.
        verdicts: what each model said of it.
        preview: a small copy.
        tiles: its maps.
        mask: ones where the grade is positive, at the size of scoring; None without a mask.
        undefined: why it has no IoU, empty where it has one.
        levels: different maps' levels, each with the map's maximum.
    """

    name: str
    label: str
    truth: str
    image: str
    first: bool
    classes: Sequence[str]
    reasons: dict[str, str]
    verdicts: Sequence[Verdict]
    preview: Preview
    tiles: Sequence[Tile]
    mask: Packed | None
    undefined: str
    levels: Sequence[tuple[Packed, float]]

    @property
    def characters(self) -> int:
        """About how much of the page it takes."""
        pixels = sum(len(text) for (_, text), _ in self.levels)
        return self.first * len(self.preview.uri) + pixels + _MARKUP * len(self.tiles)
