"""RISE: random masks, weighted by the confidence in what they leave."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method
from xaibench.core.seeds import BatchGenerator

_PART = 64


@method(paper="petsiuk2018rise", family="perturbation", sign="none")
def rise(
    images: Tensor,
    generator: BatchGenerator,
    respond: Callable[..., Tensor],
    *,
    masks: int = 4000,
    cells: int = 7,
    keep: float = 0.5,
) -> Tensor:
    """Return the mean over random masks m of p(x * m) * m / keep, shape (B, H, W).

    A mask is a grid of cells that are kept at random, enlarged bilinearly and shifted by a part of
    a cell; p is the target's confidence.

    Options:
        masks: how many; the published number is 4000 for VGG16 and 8000 for ResNet50.
        cells: of the grid along each side.
        keep: chance of a cell to be kept.
    """
    if masks < 1 or cells < 1 or not 0 < keep < 1:
        raise XaibenchError("rise: 'masks' and 'cells' from 1, 'keep' between 0 and 1.")
    size = (images.shape[2], images.shape[3])
    grids = (generator.uniform(masks, cells + 1, cells + 1) < keep).to(images)
    shifts = generator.uniform(masks, 2).cpu()
    found = []
    for row, image in enumerate(images):
        made = partial(_enlarge, grids[row], shifts[row], size)
        confidences = respond(row, partial(_seen_through, image, made), masks, confidence=True)
        total = images.new_zeros(size)
        for first in range(0, masks, _PART):
            last = min(first + _PART, masks)
            total += torch.einsum("n,nhw->hw", confidences[first:last], made(first, last))
        found.append(total / (masks * keep))
    return torch.stack(found)


def _seen_through(
    image: Tensor, made: Callable[[int, int], Tensor], first: int, last: int
) -> Tensor:
    return image * made(first, last)[:, None]


def _enlarge(grids: Tensor, shifts: Tensor, size: tuple[int, int], first: int, last: int) -> Tensor:
    """Return masks ``(last - first, H, W)`` in [0, 1]."""
    cells = grids.shape[-1] - 1
    steps = [-(-length // cells) for length in size]
    wide = functional.interpolate(
        grids[first:last, None],
        [(cells + 1) * step for step in steps],
        mode="bilinear",
        align_corners=False,
    )[:, 0]
    corners = (shifts[first:last] * torch.tensor(steps)).long().tolist()
    return torch.stack(
        [
            mask[top : top + size[0], left : left + size[1]]
            for mask, (top, left) in zip(wide, corners, strict=True)
        ]
    )
