"""The threshold of each method, tuned on validation images whose masks may be seen."""

from collections.abc import Mapping

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.overlap import GRID, jaccard_curve
from xaibench.core.plugin import Bound

TUNED = "tuned_threshold"


class Tuning:
    """Mean IoU of some methods over a grid of thresholds, batch by batch."""

    def __init__(self) -> None:
        self._curves: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, method: Bound, maps: Tensor, masks: Tensor) -> None:
        """Take finished maps and masks ``(B, H, W)``; images whose mask is empty don't count."""
        curves = jaccard_curve(maps, masks > 0, GRID)
        known = curves[~curves.isnan().any(dim=1)].double()
        spec = method.spec
        self._curves[spec] = self._curves.get(spec, torch.zeros(())) + known.sum(dim=0).cpu()
        self._counts[spec] = self._counts.get(spec, 0) + len(known)

    def thresholds(self) -> Mapping[str, float]:
        """Return the best threshold of each method, the lowest of those that tie.

        Raises:
            XaibenchError: all masks are empty.
        """
        if not all(self._counts.values()):
            raise XaibenchError(
                "all validation masks that may be seen are empty; raise --mask-fraction, or leave "
                "iou_tuned out."
            )
        return {spec: GRID[int(curve.argmax())] for spec, curve in self._curves.items()}
