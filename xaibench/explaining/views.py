"""One class of images that may show several: where it is explained, and its masks."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor


class ClassView(NamedTuple):
    """What of a batch belongs to one class.

    Attributes:
        rows: of the batch, those in which the class is explained.
        masks: ``(B, H, W)`` int8 grades, of the class.
        annotated: in which images anything says where the class shows.
        lost_masks: which masks lost all that they marked when they were resized; none by default.
        originals: masks ``(H, W)`` at the images' own sizes, where scores are made with these.
    """

    rows: Tensor
    masks: Tensor
    annotated: Sequence[bool]
    lost_masks: Sequence[bool] = ()
    originals: Sequence[Tensor | None] = ()

    def part(self, first: int, last: int) -> "ClassView":
        """Return what belongs to some rows of the batch alone."""
        inside = (self.rows >= first) & (self.rows < last)
        at = slice(first, last)
        return ClassView(
            self.rows[inside] - first,
            self.masks[at],
            self.annotated[at],
            self.lost_masks[at],
            self.originals[at],
        )

    def explained(self) -> dict[str, Any]:
        """Return masks, and what is known of them, of the rows that are explained."""
        at = self.rows.tolist()
        known = self.annotated, self.lost_masks, self.originals
        annotated, lost, originals = ([each[row] for row in at if each] for each in known)
        masks = self.masks[self.rows]
        return {
            "masks": masks, "annotated": annotated, "lost_masks": lost, "originals": originals
        }  # fmt: skip
