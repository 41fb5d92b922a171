"""Pixel accuracy: how well a segmentation network names each pixel, and its IoU by class."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaibench.core.errors import XaibenchError
from xaibench.core.estimates import ratio
from xaibench.core.findings import Findings, PictureRows
from xaibench.core.reading.palette import colors
from xaibench.core.registry import analysis

Integers = NDArray[np.integer]
Segment = Callable[[Sequence[int]], tuple[Integers, Integers, Integers]]
_HEADINGS = "image", "truth", "prediction"
_UNKNOWN = 255  # white, in VOC's masks a border


@analysis(
    paper="long2015fcn",
    quantities={
        "pixel_accuracy": "share of the annotated test images' pixels whose class is right",
        "mean_iou": "mean of the classes' IoU, the background one of them; a class that neither "
        "is there nor is predicted doesn't count",
        "iou": "pixels of all images together: right ones of the class over those that are it, or "
        "are taken for it",
    },
)
def pixel_accuracy(
    pixel_confusion: NDArray[np.int64],
    segment: Segment,
    samples: NDArray[np.str_],
    class_names: tuple[str, ...],
    *,
    shown: int = 8,
) -> Findings:
    """Count pixels at the network's input size, and show the classes in VOC's colors.

    Args:
        pixel_confusion: ``(N, 1 + K, 1 + K)``; images without a mask hold zeros and don't count.
        segment: shows images.
        samples: ``(N,)``.
        class_names: K of them.
        shown: annotated test images in the picture, from the best to the worst in equal steps.

    Raises:
        XaibenchError: ``shown`` is below 1.
    """
    if shown < 1:
        raise XaibenchError(f"pixel_accuracy[shown={shown}]: show 1 image at least.")
    counts = pixel_confusion.astype(float)
    counts[counts.sum(axis=(1, 2)) == 0] = np.nan
    right = np.einsum("ncc->nc", counts)
    union = counts.sum(axis=1) + counts.sum(axis=2) - right
    names = ("background", *class_names)
    parts = np.stack([ratio(right[:, c], union[:, c]) for c in range(len(names))])
    known = ~np.isnan(parts).all(axis=1)
    total = pd.DataFrame(pixel_confusion.sum(axis=0), columns=names)
    own = right.sum(axis=1) / counts.sum(axis=(1, 2))
    rows = _from_best_to_worst(own, shown)
    pictures = {"classes": _in_color(*segment(rows))} if rows else {}
    titles = tuple(f"{samples[row]}\n{own[row]:.0%} right" for row in rows)
    key = {name: "#" + colors()[k].tobytes().hex() for k, name in enumerate(names)}
    return Findings(
        quantities={
            "pixel_accuracy": ratio(right.sum(axis=1), counts.sum(axis=(1, 2))),
            "mean_iou": parts[known].mean(axis=0) if known.any() else np.nan,
            **{f"iou[{name}]": part for name, part in zip(names, parts, strict=True)},
        },
        images={"right_pixels": own},
        tables={"confusion": pd.DataFrame({"true_class": names}).join(total)},
        figures=[PictureRows(n, "Classes of pixels", _HEADINGS, titles, key) for n in pictures],
        pixels=pictures,
    )


def _from_best_to_worst(right: NDArray[np.float64], shown: int) -> list[int]:
    """Return rows of images; those without a mask have NaN and are left out."""
    order = [int(row) for row in np.argsort(-right, kind="stable") if not np.isnan(right[row])]
    steps = np.linspace(0, len(order) - 1, min(shown, len(order))).round()
    return [order[int(step)] for step in steps]


def _in_color(images: Integers, truth: Integers, predicted: Integers) -> NDArray[np.uint8]:
    """Return pictures ``(n, 3, H, W, 3)``."""
    palette = colors().copy()
    palette[_UNKNOWN] = 255
    drawn = [palette[np.where(index < 0, _UNKNOWN, index)] for index in (truth, predicted)]
    return np.stack([images.astype(np.uint8), *drawn], axis=1)
