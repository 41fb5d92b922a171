"""Performance information curves: what is known of an image, against how much of it is seen.

An image is seen blurred, but for the pixels that a map puts first. How much that shows is measured
by how far it can be compressed (kapishnikov2019xrai).
"""

import io
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.integrate import trapezoid
from torch import Tensor

from xaibench.core.baselines import baseline_of
from xaibench.core.reading.channels import COLORS
from xaibench.core.removal import ranks

# Shares of the pixels that are shown, close together where a good map has shown enough.
FRACTIONS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.13, 0.21, 0.34, 0.5, 0.75)


def information_curve_areas(
    maps: Tensor, images: Tensor, performance: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the area under each image's curve, ``(B,)`` in [0, 1].

    The horizontal axis runs from the blurred image, 0, to the whole one, 1; the curve never falls.
    NaN where the whole image takes no more bytes than the blurred one.

    Args:
        maps: ``(B, H, W)``; of equal pixels those that are read first come first.
        images: ``(B, C, H, W)`` in [0, 1].
        performance: images of the batch -> ``(B,)`` in [0, 1].
    """
    bare, place = baseline_of(images, "blur"), ranks(-maps)
    shown = [bare]
    for fraction in FRACTIONS:
        seen = place < round(fraction * maps[0].numel())
        shown.append(torch.where(seen[:, None], images, bare))
    shown.append(images)
    sizes = np.array([[_compressed(image) for image in batch] for batch in shown], float)
    values = torch.stack([performance(batch) for batch in shown]).double().cpu().numpy()
    areas = [_area(size, value) for size, value in zip(sizes.T, values.T, strict=True)]
    return torch.tensor(areas).to(maps)


def _area(sizes: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    if sizes[-1] <= sizes[0]:
        return float("nan")
    seen = ((sizes - sizes[0]) / (sizes[-1] - sizes[0])).clip(0, 1)
    order = np.argsort(seen, kind="stable")
    return float(trapezoid(np.maximum.accumulate(values[order]), seen[order]))


def _compressed(image: Tensor) -> int:
    """Return how many bytes an image ``(C, H, W)`` takes without loss; n channels one by one."""
    if len(image) not in (1, COLORS):
        return sum(_compressed(channel) for channel in image[:, None])
    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    kept = io.BytesIO()
    colors = np.broadcast_to(pixels, (*pixels.shape[:2], COLORS))
    Image.fromarray(colors).save(kept, "WEBP", lossless=True, quality=0, method=0)
    return kept.tell()
