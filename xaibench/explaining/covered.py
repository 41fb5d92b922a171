"""Covered pictures: what Average Drop and Increase in Confidence ask the model about."""

from collections.abc import Sequence
from itertools import product
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from xaibench.core.confidence import Predict
from xaibench.core.covering import By, Covered, CoveredConfidence
from xaibench.core.covering_ways import CoveringWay
from xaibench.core.explanation import CoveredPicture, CoveredPictures
from xaibench.core.passes.device import as_bytes
from xaibench.core.reading.channels import in_color

_WAYS = [CoveringWay(covered, by) for by, covered in product(get_args(By), get_args(Covered))]


def cover_pictures(
    pictures: Sequence[NDArray[np.uint8]],
    images: Tensor,
    maps: Tensor,
    targets: Tensor,
    predict: Predict,
) -> list[CoveredPictures]:
    """Return each image, and covered in four ways, with the target's confidence.

    Args:
        pictures: what the images are of, ``(H, W, 3)`` each, as large as they are.
        images: ``(B, C, H, W)`` in [0, 1].
        maps: ``(B, H, W)`` in [0, 1].
        targets: ``(B,)``.
        predict: images -> confidences ``(B, K)``.
    """
    whole = predict(images).gather(1, targets[:, None])[:, 0]
    ask = CoveredConfidence(images, maps, targets, predict)
    looks = [(way.words, _seen(way.cover(images, maps)), ask(*way)) for way in _WAYS]
    seen, heat = _seen(images), maps.cpu().numpy()
    return [
        CoveredPictures(
            pictures[row],
            seen[row],
            heat[row],
            float(whole[row]),
            [
                CoveredPicture(words, covered[row], float(sure[row]))
                for words, covered, sure in looks
            ],
        )
        for row in range(len(images))
    ]


def _seen(images: Tensor) -> NDArray[np.uint8]:
    return in_color(as_bytes(images).cpu().numpy())
