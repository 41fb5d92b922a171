"""Covered pictures: what Average Drop and Increase in Confidence ask the model about."""

from collections.abc import Sequence
from itertools import product
from typing import get_args

from torch import Tensor

from xaibench.core.confidence import Predict
from xaibench.core.covering import PARTS, By, Covered, CoveredConfidence, cover
from xaibench.core.explanation import CoveredPicture
from xaibench.core.passes.device import as_bytes

_WAYS = {"darken": "darkened by the map", "zero": "black, cut at half of the map"}


def cover_pictures(
    images: Tensor, maps: Tensor, targets: Tensor, predict: Predict
) -> list[Sequence[CoveredPicture]]:
    """Return each image as it is, and covered in four ways, with the target's confidence.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1].
        maps: ``(B, H, W)`` in [0, 1].
        targets: ``(B,)``.
        predict: images -> confidences ``(B, K)``.
    """
    first = predict(images).gather(1, targets[:, None])[:, 0]
    looks = [("as it is", images, first)]
    ask = CoveredConfidence(images, maps, targets, predict)
    by: By
    covered: Covered
    for by, covered in product(get_args(By), get_args(Covered)):
        seen = cover(images, maps, covered, by, None)
        looks.append((f"{PARTS[covered]} {_WAYS[by]}", seen, ask(covered, by)))
    return [
        [
            CoveredPicture(name, as_bytes(seen[row]).cpu().numpy(), float(sure[row]))
            for name, seen, sure in looks
        ]
        for row in range(len(images))
    ]
