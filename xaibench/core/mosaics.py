"""Mosaics: an image among others, of its own class and of others, in a grid of two by two."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from xaibench.core.errors import XaibenchError
from xaibench.core.seeds import BatchGenerator

TILES = 4
Size = Literal["half", "full"]


class Mosaics(NamedTuple):
    """Images ``(B, C, H, W)``, and the places of their tiles, ``(B, 4)``, the own image's first.

    Places count 0, 1, 2, 3 in reading order. ``known`` ``(B,)`` tells where tiles were found.
    """

    images: Tensor
    places: Tensor
    known: Tensor


def lay_mosaics(
    images: Tensor,
    targets: Tensor,
    training_images: Tensor,
    training_labels: Tensor,
    generator: BatchGenerator,
    *,
    alike: int,
    size: Size,
) -> Mosaics:
    """Lay each image out with training images, at places and of classes that chance decides.

    Args:
        images: ``(B, C, H, W)``.
        targets: ``(B,)``, their classes.
        training_images: ``(N, C, H, W)``, read by rows.
        training_labels: ``(N,)``.
        generator: of each image's chance.
        alike: how many of the other three tiles are of the same class; those of other classes are
            of different ones where there are enough.
        size: ``full`` tiles are as large as the images, the mosaic twice as high and wide; of
            ``half`` the mosaic is as large as an image.

    Raises:
        XaibenchError: the size is unknown.
    """
    if size not in ("half", "full"):
        raise XaibenchError(f"tiles={size}: choose half or full.")
    labels = training_labels.cpu()
    chance = generator.uniform(2, len(labels)).cpu()
    rows = [
        _choose(int(target), labels, draw[0], draw[1], alike)
        for target, draw in zip(targets.tolist(), chance, strict=True)
    ]
    known = torch.tensor([len(each) == TILES - 1 for each in rows], device=images.device)
    places = generator.uniform(TILES).argsort(dim=1)
    height, width = images.shape[2:]
    laid = images.new_zeros(len(images), images.shape[1], 2 * height, 2 * width)
    for canvas, image, chosen, spots in zip(laid, images, rows, places.tolist(), strict=True):
        tiles = [image, *(training_images[chosen] if chosen else ())]
        for tile, spot in zip(tiles, spots, strict=False):
            quarter(canvas, spot).copy_(tile)
    if size == "half":
        laid = interpolate(laid, (height, width), mode="bilinear", antialias=True)
    return Mosaics(laid, places, known)


def quarter(values: Tensor, place: int) -> Tensor:
    """Return a quarter of ``(..., H, W)``; the middle line of an odd side is in none."""
    half = [side // 2 for side in values.shape[-2:]]
    rows, columns = (
        slice(None, length) if first else slice(-length, None)
        for length, first in zip(half, (place < 2, place % 2 == 0), strict=True)  # noqa: PLR2004
    )
    return values[..., rows, columns]


def shares(maps: Tensor, places: Tensor) -> Tensor:
    """Return the share of a map's mass on each of its tiles, ``(B, 4)``; 0 for a map of zeros."""
    total = maps.sum(dim=(1, 2))[:, None]
    mass = torch.stack([quarter(maps, place).sum(dim=(1, 2)) for place in range(TILES)], dim=1)
    return (mass / total).where(total > 0, 0.0).gather(1, places)


def _choose(target: int, labels: Tensor, own: Tensor, other: Tensor, alike: int) -> Sequence[int]:
    """Return rows of training images in an order of chance; fewer than three where they lack."""
    order = own.argsort()
    same = order[labels[order] == target][:alike].tolist()
    order = other.argsort()
    rest = order[labels[order] != target].numpy()
    # One of each class first.
    firsts = np.sort(np.unique(labels[rest].numpy(), return_index=True)[1])
    ordered = np.concatenate([rest[firsts], np.delete(rest, firsts)]).tolist()
    return [*same, *ordered[: TILES - 1 - alike]] if len(same) == alike else []
