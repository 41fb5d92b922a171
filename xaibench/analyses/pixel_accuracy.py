"""Pixel accuracy: how well a segmentation network names each pixel, and its IoU by class."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaibench.core.estimates import ratio
from xaibench.core.findings import Findings
from xaibench.core.registry import analysis


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
def pixel_accuracy(pixel_confusion: NDArray[np.int64], class_names: tuple[str, ...]) -> Findings:
    """Count pixels at the network's input size.

    Args:
        pixel_confusion: ``(N, 1 + K, 1 + K)``; images without a mask hold zeros and don't count.
        class_names: K of them.
    """
    counts = pixel_confusion.astype(float)
    counts[counts.sum(axis=(1, 2)) == 0] = np.nan
    right = np.einsum("ncc->nc", counts)
    union = counts.sum(axis=1) + counts.sum(axis=2) - right
    names = ("background", *class_names)
    parts = np.stack([ratio(right[:, c], union[:, c]) for c in range(len(names))])
    known = ~np.isnan(parts).all(axis=1)
    total = pd.DataFrame(pixel_confusion.sum(axis=0), columns=names)
    return Findings(
        quantities={
            "pixel_accuracy": ratio(right.sum(axis=1), counts.sum(axis=(1, 2))),
            "mean_iou": parts[known].mean(axis=0) if known.any() else np.nan,
            **{f"iou[{name}]": part for name, part in zip(names, parts, strict=True)},
        },
        tables={"confusion": pd.DataFrame({"true_class": names}).join(total)},
    )
