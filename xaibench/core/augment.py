"""Augmentation of a whole batch; an image and its mask always move together."""

import math
from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from xaibench.core.recipe import AUGMENTATIONS

_ROTATION = math.radians(45)
_SMALLEST_CROP = 0.75
_ASPECT = 4 / 3
_JITTER = 0.2


def augment(
    images: Tensor,
    masks: Tensor,
    seeds: Sequence[int],
    kinds: Collection[str] = AUGMENTATIONS,
) -> tuple[Tensor, Tensor]:
    """Rotate, crop, flip and jitter, as the study did: +-45 degrees, 75-100 % of the area, flips.

    Rotation, crop and flips are one affine map, sampled once: bilinearly for images, to the nearest
    pixel for masks. What lies outside becomes black and background.

    Args:
        images: ``(B, C, H, W)`` in [0, 1].
        masks: ``(B, H, W)`` int8 grades.
        seeds: one for each image; the same seed gives the same change.
        kinds: some of `AUGMENTATIONS`; what another kind draws doesn't depend on it.
    """
    if not set(kinds) & set(AUGMENTATIONS):
        return images, masks
    drawn = [_draw(np.random.default_rng(seed), kinds) for seed in seeds]
    geometry = torch.from_numpy(np.stack([matrix for matrix, _ in drawn])).to(images)
    grid = functional.affine_grid(geometry, list(images.shape), align_corners=False)
    images = functional.grid_sample(images, grid, mode="bilinear", align_corners=False)
    moved = functional.grid_sample(
        masks[:, None].to(images.dtype), grid, mode="nearest", align_corners=False
    )
    jitter = torch.from_numpy(np.stack([factors for _, factors in drawn])).to(images)
    return _recolour(images, jitter), moved[:, 0].to(masks.dtype)


def _draw(random: np.random.Generator, kinds: Collection[str]) -> tuple[np.ndarray, np.ndarray]:
    """Draw one affine map ``(2, 3)`` from output to input, and three colour factors.

    All is drawn, and what isn't wanted dropped, so that the kinds don't shift each other's numbers.
    """
    angle = random.uniform(-_ROTATION, _ROTATION) * ("rotation" in kinds)
    area = random.uniform(_SMALLEST_CROP, 1)
    aspect = math.exp(random.uniform(-math.log(_ASPECT), math.log(_ASPECT)))
    if "crop" not in kinds:
        area = aspect = 1
    width = min(math.sqrt(area * aspect), 1)
    height = min(math.sqrt(area / aspect), 1)
    centre = random.uniform(-1, 1, 2) * (1 - np.array([width, height]))
    flips = random.choice([-1.0, 1.0], 2)
    wanted = ["horizontal_flip" in kinds, "vertical_flip" in kinds]
    flips = np.where(wanted, flips, 1.0)
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = rotation @ np.diag(flips * [width, height])
    factors = 1 + random.uniform(-_JITTER, _JITTER, 3) * ("colour" in kinds)
    return np.concatenate([linear, (rotation @ centre)[:, None]], axis=1), factors


def _recolour(images: Tensor, factors: Tensor) -> Tensor:
    """Scale brightness, contrast and saturation of each image by its three factors."""
    brightness, contrast, saturation = factors[..., None, None, None].unbind(dim=1)
    images = images * brightness
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = (images - mean) * contrast + mean
    grey = images.mean(dim=1, keepdim=True)
    return ((images - grey) * saturation + grey).clamp(0, 1)
