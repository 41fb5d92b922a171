"""The ways in which metrics and pictures cover images, and what people call them."""

from typing import NamedTuple

from torch import Tensor

from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.covering import PARTS, By, Covered, cover


class CoveringWay(NamedTuple):
    """A way to cover an image: which part, how, and with what."""

    covered: Covered
    by: By
    baseline: Baseline = "black"

    @property
    def words(self) -> str:
        """What is covered.

        >>> CoveringWay("important", "zero").words
        'the important part covered at half of the map'
        """
        ground = "" if self.baseline == "black" else f" ({self.baseline})"
        how = "by the map" if self.by == "darken" else "at half of the map"
        return f"{PARTS[self.covered]} covered {how}{ground}"

    def asked_by(self, metric: str) -> str:
        """Return a metric with the options by which it covers images so.

        >>> CoveringWay("important", "darken").asked_by("drop_in_confidence")
        'drop_in_confidence[covered=important]'
        """
        usual = CoveringWay("unimportant", "darken")._asdict()
        own = [f"{key}={value}" for key, value in self._asdict().items() if value != usual[key]]
        return f"{metric}[{','.join(own)}]" if own else metric

    def cover(self, images: Tensor, maps: Tensor) -> Tensor:
        """Cover images ``(B, C, H, W)`` in [0, 1] under maps ``(B, H, W)`` in [0, 1]."""
        beneath = None if self.baseline == "black" else baseline_of(images, self.baseline)
        return cover(images, maps, self.covered, self.by, beneath)
