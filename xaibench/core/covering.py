"""Covering images under a map, and the model's confidence on what is left."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.confidence import Predict, confidence_of
from xaibench.core.overlap import binarize

Covered = Literal["unimportant", "important"]
By = Literal["darken", "zero"]
PARTS: Mapping[Covered, str] = {"unimportant": "the rest", "important": "the important part"}
"""What people call the part that is covered."""
_HALF = 0.5
_IMAGES_AT_ONCE = 64


def cover(images: Tensor, maps: Tensor, covered: Covered, by: By, beneath: Tensor | None) -> Tensor:
    """Return ``images * keep + beneath * (1 - keep)`` in pixel space, ``(B, C, H, W)``.

    ``keep`` is the map itself (``darken``), or 1 where the map reaches half of its maximum and 0
    elsewhere (``zero``); with ``covered="important"`` it is the complement of that.

    Args:
        images: ``(B, C, H, W)`` in [0, 1].
        maps: ``(B, H, W)`` in [0, 1].
        covered: the part that is covered.
        by: darken by the heat map, or cover a binary region.
        beneath: the baseline that is in the covered place, none for black.
    """
    keep = maps if by == "darken" else binarize(maps, _HALF).to(maps.dtype)
    keep = (keep if covered == "unimportant" else 1 - keep)[:, None].to(images.dtype)
    return images * keep if beneath is None else images * keep + beneath * (1 - keep)


class CoveredConfidence:
    """The target's confidence on covered images; each way of covering costs one pass, once.

    Several methods' maps of the same images go together: whoever asks first has all of them seen
    in one stream. An image that is covered nowhere keeps its confidence to the last bit, which
    another batch, on a GPU, might round otherwise.
    """

    def __init__(
        self,
        images: Tensor,
        maps: Tensor,
        targets: Tensor,
        predict: Predict,
        together: "list[CoveredConfidence] | None" = None,
        untouched: Callable[[], Tensor] | None = None,
    ) -> None:
        """Join those that go ``together``: they share images, targets and model.

        Args:
            images: ``(B, C, H, W)``.
            maps: ``(B, H, W)``.
            targets: ``(B,)``.
            predict: images -> confidences ``(B, K)``.
            together: other methods' maps of the same images.
            untouched: gives the confidences ``(B, K)`` on the images themselves, if known.
        """
        self._images, self._maps, self._targets = images, maps, targets
        self._predict = predict
        self._untouched = untouched or (lambda: predict(images))
        self._known: dict[tuple[str, str, str], Tensor] = {}
        self._together = [] if together is None else together
        self._together.append(self)

    def __call__(
        self,
        covered: Covered = "unimportant",
        by: By = "darken",
        baseline: Baseline = "black",
    ) -> Tensor:
        """Return the confidences ``(B,)``."""
        way = (covered, by, baseline)
        if way not in self._known:
            waiting = [each for each in self._together if way not in each._known]
            at_once = max(_IMAGES_AT_ONCE // len(self._images), 1)
            for first in range(0, len(waiting), at_once):
                self._look(waiting[first : first + at_once], covered, by, baseline)
        return self._known[way]

    def _look(
        self, group: "list[CoveredConfidence]", covered: Covered, by: By, baseline: Baseline
    ) -> None:
        beneath = None if baseline == "black" else baseline_of(self._images, baseline)
        images = [cover(self._images, each._maps, covered, by, beneath) for each in group]
        confidences = confidence_of(self._targets, torch.cat(images), self._predict)
        parts = confidences.view(len(group), -1)
        for each, seen, part in zip(group, images, parts, strict=True):
            same = (seen == self._images).flatten(1).all(dim=1)
            known = (
                self._untouched().gather(1, self._targets[:, None])[:, 0] if same.any() else part
            )
            each._known[covered, by, baseline] = part.where(~same, known)
