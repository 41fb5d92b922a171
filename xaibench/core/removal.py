"""Taking an image away, or building it up, pixel by pixel in the order of a map."""

import torch
from torch import Tensor

from xaibench.core.confidence import Predict, confidence_of
from xaibench.core.errors import XaibenchError

_IMAGES_AT_ONCE = 64


def ranks(values: Tensor, chance: Tensor | None = None) -> Tensor:
    """Return each pixel's place ``(B, H, W)``, from 0 for the lowest value.

    Args:
        values: ``(B, H, W)``.
        chance: ``(B, H, W)`` numbers that order equal values; without them those that are read
            first, left to right and top to bottom, come first.
    """
    flat = values.flatten(1)
    if chance is None:
        order = flat.argsort(dim=1, stable=True)
    else:
        shuffled = chance.flatten(1).argsort(dim=1)
        order = shuffled.gather(1, flat.gather(1, shuffled).argsort(dim=1, stable=True))
    places = torch.empty_like(order)
    places.scatter_(1, order, torch.arange(order.shape[1], device=order.device).expand_as(order))
    return places.view_as(values)


def area_of_exchange(
    before: Tensor,
    after: Tensor,
    maps: Tensor,
    targets: Tensor,
    predict: Predict,
    *,
    steps: int,
) -> Tensor:
    """Return the area under the confidence while one image becomes another, ``(B,)`` in [0, 1].

    Pixels are exchanged from the map's highest value down, of equal ones the first read first. At
    step k exactly round(k / steps * H * W) of them are; the area is that of trapezoids over the
    fraction really exchanged, both ends included.

    Args:
        before: ``(B, C, H, W)``, what is seen first.
        after: ``(B, C, H, W)``, what is seen at last.
        maps: ``(B, H, W)``.
        targets: ``(B,)``, whose confidence it is.
        predict: images -> confidences; it sees each batch of images steps + 1 times.
        steps: number of trapezoids.

    Raises:
        XaibenchError: there is no step.
    """
    if steps < 1:
        raise XaibenchError(f"steps={steps}: at least one leads from one image to the other.")
    place, pixels = ranks(-maps)[:, None], maps[0].numel()
    counts = [round(step * pixels / steps) for step in range(steps + 1)]
    weights = _trapezoid_weights(torch.tensor(counts, dtype=torch.float64) / pixels)
    area = torch.zeros(len(maps), dtype=torch.float64, device=maps.device)
    at_once = max(_IMAGES_AT_ONCE // len(maps), 1)
    for first in range(0, steps + 1, at_once):
        some = slice(first, first + at_once)
        # Faster than torch.where, and exact: one of the two is multiplied by 0.
        seen = torch.cat(
            [before * (place >= count) + after * (place < count) for count in counts[some]]
        )
        found = confidence_of(targets, seen, predict).view(-1, len(maps))
        area += weights[some].to(area.device) @ found.double()
    return area.float()


def _trapezoid_weights(places: Tensor) -> Tensor:
    widths = places.diff()
    nothing = widths.new_zeros(1)
    return (torch.cat([nothing, widths]) + torch.cat([widths, nothing])) / 2
