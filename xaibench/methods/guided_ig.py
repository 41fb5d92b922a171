"""Guided IG: a way from the baseline on which the pixels of least gradient move first."""

from collections.abc import Callable
from math import inf

import torch
from torch import Tensor

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method

_CLOSE = 1e-9


@method(paper="kapishnikov2021guidedig", family="gradient", sign="none")
def guided_ig(
    images: Tensor,
    differentiate: Callable[[Tensor], Tensor],
    target_logits: Callable[[Tensor], Tensor],
    promise: Callable[[Tensor, Tensor], None],
    *,
    steps: int = 200,
    fraction: float = 0.25,
    deviation: float = 0.02,
    baseline: Baseline = "black",
    part: Polarity = "absolute",
) -> Tensor:
    """Return |sum_c sum over steps of dy/dx * the step|, shape (B, H, W).

    Each step shortens the way that is left (in the sum of absolute differences) by 1 / steps.

    Options:
        steps: on the way.
        fraction: of the values that move at a time, those of the smallest gradients.
        deviation: from the straight way, at most, as a share of it.
        baseline: where it starts.
        part: the part of the signed sum that is kept.
    """
    if steps < 1 or not 0 < fraction <= 1 or not 0 <= deviation <= 1:
        raise XaibenchError(
            "guided_ig: 'steps' from 1, 'fraction' above 0 and up to 1, 'deviation' from 0 to 1."
        )
    starts = baseline_of(images, baseline)
    ways = [_Way(*pair, steps, fraction, deviation) for pair in zip(images, starts, strict=True)]
    for step in range(steps):
        gradients = differentiate(torch.stack([way.here for way in ways]).to(images))
        for way, gradient in zip(ways, gradients, strict=True):
            way.go(step + 1, gradient.double())
    total = torch.stack([way.total for way in ways]).to(images)
    ends = target_logits(torch.stack([images, starts], dim=1).flatten(0, 1))
    promise(total, ends[0::2] - ends[1::2])
    return fold_channels(total, part)


class _Way:
    """One image's way, in double precision: what is left is compared with what should be."""

    def __init__(
        self, image: Tensor, start: Tensor, steps: int, fraction: float, deviation: float
    ) -> None:
        self._image, self._start = image.double(), start.double()
        self._steps, self._fraction, self._deviation = steps, fraction, deviation
        self._length = float((self._image - self._start).abs().sum())
        self.here, self.total = self._start.clone(), torch.zeros_like(self._start)

    def go(self, step: int, gradient: Tensor) -> None:
        """Move until no more is left than behind this step of the straight way."""
        if self._length == 0:
            return
        share = step / self._steps
        least, most = max(share - self._deviation, 0.0), min(share + self._deviation, 1.0)
        ends = [self._start + end * (self._image - self._start) for end in (least, most)]
        order, moved = gradient.abs(), True
        while moved:
            before = self.here
            moved, order = self._move(self._length * (1 - share), ends, least, order)
            self.total += (self.here - before) * gradient

    def _move(
        self, wanted: float, ends: list[Tensor], least: float, order: Tensor
    ) -> tuple[bool, Tensor]:
        """Move the values of least gradient; return whether more has to move, and their order."""
        behind, ahead = ends
        straight = self._image - self._start
        late = (self.here - self._start) / straight < least  # NaN, where nothing moves, is not
        here = torch.where(late, behind, self.here)
        left = float((here - self._image).abs().sum())
        if abs(left - wanted) <= _CLOSE * max(left, wanted, 1.0):
            self.here = here
            return False, order
        order = torch.where(here == ahead, inf, order)
        threshold = _lower_quantile(order, self._fraction)
        chosen = (order <= threshold) & (order < inf)
        reach = float(((here - ahead).abs() * chosen).sum())
        gamma = (left - wanted) / reach if reach > 0 else inf
        self.here = torch.where(chosen, here + min(gamma, 1.0) * (ahead - here), here)
        # Those that arrived exactly are passed over next time.
        self.here = torch.where(chosen & (gamma >= 1.0), ahead, self.here)
        return gamma > 1.0 and bool((order < inf).any()), order


def _lower_quantile(values: Tensor, share: float) -> Tensor:
    """Return the value below which a share lies; of two the lower one."""
    ordered = values.flatten()
    place = int(share * (len(ordered) - 1))
    return ordered.kthvalue(place + 1).values
