"""DeepLIFT: the difference of two images' logits, passed back through every operation."""

from collections.abc import Callable

import torch
from torch import Tensor

from xaibench.core.completeness import gaps
from xaibench.core.errors import Unsupported
from xaibench.core.passes.difference_rules import Change, difference, pass_change_back
from xaibench.core.passes.steps import Cotangents, Step, Trace, pass_back
from xaibench.core.passes.trace import trace

# Where more than this share of the difference is lost, a step is looked for that loses some.
_LOST, _LOST_IN_A_STEP = 1e-2, 1e-4


def find_multipliers(
    network: Callable[[Tensor], Tensor], images: Tensor, starts: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Return DeepLIFT's multipliers ``(N, C, H, W)``, and how the targets' logits change, ``(N,)``.

    Times ``images - starts`` the multipliers add up to that change.

    Args:
        network: images -> logits ``(N, K)``.
        images: ``(N, C, H, W)``.
        starts: the baselines, likewise.
        targets: ``(B,)``, of the first images; what only fills the batch up has none.

    Raises:
        Unsupported: an operation of the network has no rule.
    """
    pair = _Pair(network, images, starts)
    logits = pair.image.logits
    rows = torch.arange(len(targets), device=targets.device)
    weights = torch.zeros_like(logits).index_put((rows, targets), logits.new_ones([]))
    change = ((logits - pair.start.logits) * weights).sum(dim=1)
    found = pass_back(pair.image, weights, pair.rule)
    if bool((gaps((images - starts) * found, change) > _LOST).any()):
        _refuse_what_loses(_Pair(network, images, starts), weights)
    return found, change


class _Pair:
    """The passes of images and of their baselines, step by step the same."""

    def __init__(self, network: Callable[[Tensor], Tensor], images: Tensor, starts: Tensor) -> None:
        self.image, self.start = trace(network, images), trace(network, starts)
        if _way(self.image) != _way(self.start):
            raise Unsupported(
                "DeepLIFT: the network takes another way for a baseline than for its image; use "
                "integrated_gradients."
            )

    def change(self, step: Step) -> Change:
        """Return what a step got and gave in both passes."""
        image, start = self.image, self.start
        return Change(
            image.inputs(step), start.inputs(step), image.outputs(step), start.outputs(step)
        )

    def rule(self, step: Step, multipliers: Cotangents) -> Cotangents:
        """Pass the multipliers of a step back, so that they account for the whole difference."""
        return pass_change_back(step, self.change(step), multipliers)


def _refuse_what_loses(pair: _Pair, weights: Tensor) -> None:
    """Raise an error that names the step which loses most, if any loses more than rounding."""
    losses = {"": 0.0}

    def watch(step: Step, multipliers: Cotangents) -> Cotangents:
        change = pair.change(step)
        found = pass_change_back(step, change, multipliers)
        given = [None if each is None else -each for each in found]
        pairs = [
            *zip(change.our_results, change.their_results, multipliers, strict=True),
            *zip(change.ours, change.theirs, given, strict=True),
        ]
        parts = [
            torch.nan_to_num(difference(ours, theirs)).double() * multiplier.double()
            for ours, theirs, multiplier in pairs
            if ours is not None and theirs is not None and multiplier is not None
        ]
        size = sum(float(part.abs().sum()) for part in parts)
        if size > 0:
            lost = abs(sum(float(part.sum()) for part in parts)) / size
            losses[step.name] = max(losses.get(step.name, 0.0), lost)
        return found

    pass_back(pair.image, weights, watch)
    name = max(losses, key=lambda each: losses[each])
    if losses[name] > max(_LOST_IN_A_STEP, 8 * torch.finfo(weights.dtype).eps):
        raise Unsupported(
            f"DeepLIFT has no rule for the network's '{name}', or what the network computes there "
            "is drawn at random or read out as a number; use integrated_gradients."
        )


def _way(passed: Trace) -> list[object]:
    return [
        (
            step.function,
            step.sources,
            step.results,
            [None if number is None else passed.values[number].shape for number in step.results],
        )
        for step in passed.steps
    ]
