"""XRAI: regions of the image in the order of what they add to integrated gradients."""

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from skimage.morphology import disk
from skimage.segmentation import felzenszwalb
from skimage.transform import resize
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method

# As published, for images of this side with values from -1 to 1.
_SIDE, _SCALES, _SMOOTHING, _LEAST_REGION = 224, (50, 100, 150, 250, 500, 1200), 0.8, 150
_GROWN = 5
# What it says of more channels than three: that is what is meant.
warnings.filterwarnings("ignore", "Got image with third dimension", RuntimeWarning)


@method(paper="kapishnikov2019xrai", family="gradient", sign="none")
def xrai(
    images: Tensor, integrate: Callable[..., Tensor], *, steps: int = 100, pixels: int = 50
) -> Tensor:
    """Return for each pixel the mean attribution of the part that its region adds, (B, H, W).

    Attributions are integrated gradients, the mean of those from the image's darkest and lightest
    value, of which the largest channel counts. Regions are those of six segmentations, grown by 5
    pixels; the one whose pixels that are not taken yet have the highest mean comes next.

    Options:
        steps: points on each way of the integral.
        pixels: that a region must add at least; what is left at the end is one region.
    """
    if steps < 1 or pixels < 1:
        raise XaibenchError("xrai: 'steps' and 'pixels' from 1.")
    found = []
    for row, image in enumerate(images):
        attributions = torch.zeros_like(image)
        for start in (image.min().expand_as(image), image.max().expand_as(image)):
            along = partial(_along, image, start, steps)
            attributions += (image - start) * integrate(row, along, steps) / 2
        values = attributions.amax(dim=0).double().cpu().numpy()
        regions = _regions(image.permute(1, 2, 0).double().cpu().numpy())
        found.append(torch.from_numpy(rank_regions(values, regions, pixels)))
    return torch.stack(found).to(images)


def rank_regions(
    values: NDArray[np.float64], regions: NDArray[np.bool_], least: int
) -> NDArray[np.float64]:
    """Return for each pixel ``(H, W)`` the mean of what its region added when it was chosen.

    Args:
        values: attributions ``(H, W)``.
        regions: ``(R, H, W)``, which may overlap.
        least: pixels that a region must add.
    """
    inside, flat = regions.reshape(len(regions), -1), values.ravel()
    counts, sums = inside.sum(axis=1), inside @ flat
    left, found = np.ones(flat.shape, bool), np.zeros(flat.shape)
    while (counts >= least).any():
        means = np.where(counts >= least, sums / np.maximum(counts, 1), -np.inf)
        added = np.flatnonzero(inside[means.argmax()] & left)
        found[added], left[added] = means.max(), False
        counts = counts - inside[:, added].sum(axis=1)
        sums = sums - inside[:, added] @ flat[added]
    if left.any():
        found[left] = flat[left].mean()
    return found.reshape(values.shape)


def _along(
    image: Tensor, start: Tensor, steps: int, first: int, last: int
) -> tuple[Tensor, Tensor]:
    shares = (torch.arange(first, last, device=image.device) + 0.5) / steps
    copies = start + shares.to(image)[:, None, None, None] * (image - start)
    return copies, torch.full_like(copies, 1 / steps)


def _regions(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the grown regions ``(R, H, W)`` of an image ``(H, W, C)`` at all scales."""
    size, span = image.shape[:2], image.max() - image.min()
    stretched = 2 * (image - image.min()) / (span or 1) - 1
    square = resize(stretched, (_SIDE, _SIDE), order=3, mode="constant", anti_aliasing=True)
    regions: list[NDArray[np.bool_]] = []
    for scale in _SCALES:
        labels = felzenszwalb(square, scale, _SMOOTHING, _LEAST_REGION)
        labels = resize(labels, size, order=0, preserve_range=True, anti_aliasing=False).astype(int)
        regions += [_grow(labels, number) for number in np.unique(labels)]
    return np.stack(regions)


def _grow(labels: NDArray[np.int_], number: int) -> NDArray[np.bool_]:
    """Return a region, grown; only its surroundings are looked at."""
    rows, columns = np.nonzero(labels == number)
    window = tuple(
        slice(max(at.min() - _GROWN, 0), at.max() + _GROWN + 1) for at in (rows, columns)
    )
    grown = np.zeros(labels.shape, bool)
    grown[window] = binary_dilation(labels[window] == number, disk(_GROWN))
    return grown
