"""The threshold of each method, tuned on validation images whose masks may be seen."""

from collections.abc import Mapping

import torch
from torch import Tensor

from xaibench.core.data import IGNORED
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
        curves = _curves(maps, masks)
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


def _curves(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the IoU of each image at each threshold, of the pixels that count."""
    counted = masks != IGNORED
    if bool(counted.all()):
        return jaccard_curve(maps, masks > 0, GRID)
    rows = [row for row in range(len(masks)) if bool((masks[row] > 0).any())]
    kept = ((maps[row][counted[row]], masks[row][counted[row]] > 0) for row in rows)
    found = [jaccard_curve(heat[None, None], mask[None, None], GRID) for heat, mask in kept]
    return torch.cat(found) if found else maps.new_full((0, len(GRID)), torch.nan)
