"""The thresholds that were tuned for a method."""

from collections.abc import Mapping
from typing import Any, NamedTuple

TUNED = "tuned_threshold"


class Tuned(NamedTuple):
    """Shares of a map's maximum.

    Attributes:
        overall: the best for all validation images together.
        by_class: the best for each class, where images may show several; classes that no validation
            image has marked are not among them.
    """

    overall: float
    by_class: Mapping[str, float] = {}

    def of(self, kind: str) -> float:
        """Return the threshold of a kind of target, which is a class where images show several."""
        return self.by_class.get(kind, self.overall)

    @property
    def entries(self) -> dict[str, Any]:
        """What a cell's record holds of them."""
        return {TUNED: self.overall, "tuned_by_class": self.by_class}
