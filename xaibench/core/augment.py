"""Augmentation of a whole batch; an image and its mask always move together."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from xaibench.core.reading.channels import COLORS
from xaibench.core.recipe import AUGMENTATIONS, read_augmentation

_SMALLEST_CROP = 0.75
_ASPECT = 4 / 3
_JITTER = 0.2
# An elastic change moves so many points a side; what lies between moves smoothly along.
_POINTS = 4


class _Change(NamedTuple):
    """One image's: a map ``(2, 3)`` from output to input, displacements ``(2, h, w)``, colors."""

    geometry: NDArray[np.float64]
    displacement: NDArray[np.float64]
    colors: NDArray[np.float64]
    gamma: float


def augment(
    images: Tensor,
    masks: Tensor,
    seeds: Sequence[int],
    kinds: Sequence[str] = AUGMENTATIONS,
) -> tuple[Tensor, Tensor]:
    """Move and recolor images; by default as the study did: +-45 degrees, 75-100 % of the area.

    All that moves is sampled once: bilinearly for images, to the nearest pixel for masks. What lies
    outside becomes black and background, or, with ``reflection``, the image's mirror image.
    Colors change of images that have three channels.

    Args:
        images: ``(B, C, H, W)`` in [0, 1].
        masks: ``(B, H, W)`` int8 grades, or several an image, ``(B, M, H, W)``.
        seeds: one for each image; the same seed gives the same change.
        kinds: as `core.recipe.read_augmentation` reads them; what one draws doesn't depend on the
            others. ``scale:0.2`` zooms by up to 20 %; ``translation:0.05`` and ``elastic:0.03``
            move by up to that share of a side; ``gamma:0.25`` is a power of e^-0.25 to e^0.25.
    """
    extents = read_augmentation(kinds)
    if not extents:
        return images, masks
    changes = [_draw(np.random.default_rng(seed), extents) for seed in seeds]
    geometry, displacement, colors, gamma = (
        torch.from_numpy(np.stack(part)).to(images) for part in zip(*changes, strict=True)
    )
    grid = functional.affine_grid(geometry, list(images.shape), align_corners=False)
    if "elastic" in extents:
        size = (images.shape[2], images.shape[3])
        field = functional.interpolate(displacement, size, mode="bicubic", align_corners=True)
        grid = grid + field.permute(0, 2, 3, 1)
    outside = "reflection" if "reflection" in extents else "zeros"
    planes = masks.view(len(masks), -1, *masks.shape[-2:]).to(images.dtype)
    moved = functional.grid_sample(planes, grid, "nearest", outside, align_corners=False)
    images = functional.grid_sample(images, grid, "bilinear", outside, align_corners=False)
    if images.shape[1] == COLORS:
        images = _recolor(images, colors)
    if "gamma" in extents:
        images = images ** gamma[:, None, None, None]
    return images, moved.view(masks.shape).to(masks.dtype)


def _draw(random: Generator, extents: Mapping[str, float]) -> _Change:
    """Draw the changes of one image.

    All is drawn, and what isn't wanted dropped, so that the kinds don't shift each other's numbers.
    """

    def drawn(kind: str, *size: int) -> NDArray[np.float64]:
        extent = extents.get(kind, 0)
        if kind == "rotation":
            extent = math.radians(extent)
        return random.uniform(-extent, extent, size)

    angle = float(drawn("rotation"))
    area = random.uniform(_SMALLEST_CROP, 1)
    aspect = math.exp(random.uniform(-math.log(_ASPECT), math.log(_ASPECT)))
    if "crop" not in extents:
        area = aspect = 1
    width = min(math.sqrt(area * aspect), 1)
    height = min(math.sqrt(area / aspect), 1)
    center = random.uniform(-1, 1, 2) * (1 - np.array([width, height]))
    flips = random.choice([-1.0, 1.0], 2)
    wanted = ["horizontal_flip" in extents, "vertical_flip" in extents]
    flips = np.where(wanted, flips, 1.0)
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    colors = 1 + random.uniform(-_JITTER, _JITTER, 3) * ("color" in extents)
    zoom = 1 + float(drawn("scale"))
    # A side is 2 long for `affine_grid`.
    center = center + 2 * drawn("translation", 2)
    gamma = math.exp(float(drawn("gamma")))
    displacement = 2 * drawn("elastic", 2, _POINTS, _POINTS)
    linear = rotation @ np.diag(flips * [width, height]) * zoom
    geometry = np.concatenate([linear, (rotation @ center)[:, None]], axis=1)
    return _Change(geometry, displacement, colors, gamma)


def _recolor(images: Tensor, factors: Tensor) -> Tensor:
    """Scale brightness, contrast and saturation of each image by its three factors."""
    brightness, contrast, saturation = factors[..., None, None, None].unbind(dim=1)
    images = images * brightness
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = (images - mean) * contrast + mean
    gray = images.mean(dim=1, keepdim=True)
    return ((images - gray) * saturation + gray).clamp(0, 1)
