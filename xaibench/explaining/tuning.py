"""The thresholds of a method, tuned on validation images whose masks may be seen."""

from collections import defaultdict

import torch
from torch import Tensor

from xaibench.core.data import IGNORED
from xaibench.core.errors import XaibenchError
from xaibench.core.overlap import GRID, jaccard_curve
from xaibench.explaining.source import Explained
from xaibench.explaining.tuned import Tuned


class Tuning:
    """A method's IoU over a grid of thresholds, batch by batch, of each class where it has maps."""

    def __init__(self) -> None:
        self._curves: defaultdict[str, Tensor] = defaultdict(_zeros)

    def take(self, found: Explained) -> None:
        """Take the maps of a batch."""
        kinds = found.maps if found.batch.views else [next(iter(found.maps))]
        for kind in kinds:
            if found.maps[kind].statuses:
                name = kind if found.batch.views else ""
                self.add(found.maps[kind].values, found.batch.unit(kind).masks, name)

    def add(self, maps: Tensor, masks: Tensor, name: str = "") -> None:
        """Take finished maps and masks ``(B, H, W)``; images whose mask is empty don't count.

        ``name`` is that of the class which they are of, where each class has its own.
        """
        curves = _curves(maps, masks)
        known = curves[~curves.isnan().any(dim=1)].double()
        if len(known):
            self._curves[name] += known.sum(dim=0).cpu()

    @property
    def found(self) -> Tuned:
        """The best thresholds, the lowest of those that tie.

        Raises:
            XaibenchError: all masks are empty.
        """
        if not self._curves:
            raise XaibenchError(
                "all validation masks that may be seen are empty; raise --mask-fraction, or leave "
                "iou_tuned out."
            )
        overall = torch.stack([*self._curves.values()]).sum(dim=0)
        by_class = {name: _best(curve) for name, curve in self._curves.items() if name}
        return Tuned(_best(overall), by_class)


def _zeros() -> Tensor:
    return torch.zeros(len(GRID), dtype=torch.double)


def _best(curve: Tensor) -> float:
    return GRID[int(curve.argmax())]


def _curves(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the IoU of each image at each threshold, of the pixels that count."""
    counted = masks != IGNORED
    if bool(counted.all()):
        return jaccard_curve(maps, masks > 0, GRID)
    rows = [row for row in range(len(masks)) if bool((masks[row] > 0).any())]
    kept = ((maps[row][counted[row]], masks[row][counted[row]] > 0) for row in rows)
    found = [jaccard_curve(heat[None, None], mask[None, None], GRID) for heat, mask in kept]
    return torch.cat(found) if found else maps.new_full((0, len(GRID)), torch.nan)
