"""The threshold of a method, tuned on validation images whose masks may be seen."""

import torch
from torch import Tensor

from xaibench.core.data import IGNORED
from xaibench.core.errors import XaibenchError
from xaibench.core.overlap import GRID, jaccard_curve
from xaibench.explaining.source import Explained

TUNED = "tuned_threshold"


class Tuning:
    """A method's mean IoU over a grid of thresholds, batch by batch."""

    def __init__(self) -> None:
        self._curve, self._count = torch.zeros(len(GRID), dtype=torch.double), 0

    def take(self, found: Explained) -> None:
        """Take the maps of a batch."""
        kinds = found.maps if found.batch.views else [next(iter(found.maps))]
        for kind in kinds:
            if found.maps[kind].statuses:
                self.add(found.maps[kind].values, found.batch.unit(kind).masks)

    def add(self, maps: Tensor, masks: Tensor) -> None:
        """Take finished maps and masks ``(B, H, W)``; images whose mask is empty don't count."""
        curves = _curves(maps, masks)
        known = curves[~curves.isnan().any(dim=1)].double()
        self._curve += known.sum(dim=0).cpu()
        self._count += len(known)

    @property
    def threshold(self) -> float:
        """The best threshold, the lowest of those that tie.

        Raises:
            XaibenchError: all masks are empty.
        """
        if not self._count:
            raise XaibenchError(
                "all validation masks that may be seen are empty; raise --mask-fraction, or leave "
                "iou_tuned out."
            )
        return GRID[int(self._curve.argmax())]


def _curves(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the IoU of each image at each threshold, of the pixels that count."""
    counted = masks != IGNORED
    if bool(counted.all()):
        return jaccard_curve(maps, masks > 0, GRID)
    rows = [row for row in range(len(masks)) if bool((masks[row] > 0).any())]
    kept = ((maps[row][counted[row]], masks[row][counted[row]] > 0) for row in rows)
    found = [jaccard_curve(heat[None, None], mask[None, None], GRID) for heat, mask in kept]
    return torch.cat(found) if found else maps.new_full((0, len(GRID)), torch.nan)
