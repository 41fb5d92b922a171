"""DeepLIFT's rules: how an operation's multipliers follow from those of its results.

One rule serves whatever is linear or a product of two values: its derivative halfway between both
passes, which accounts for the whole difference. Functions of single values follow the rescale rule
(Shrikumar 2017), of several values its mean over the orders in which these change (Shapley);
maxima, quotients and softmax have rules of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import factorial

import torch
from torch import Tensor

from xaibench.core.passes.steps import Cotangents, Step

# Linear, or a product of two values: the derivative halfway needs no quotient.
_BILINEAR = frozenset({"aten.add", "aten.sub", "aten.rsub", "aten.mul", "aten.neg", "aten.clone"})
_MAXIMA = frozenset({
    "aten.max_pool2d_with_indices", "aten.max_pool3d_with_indices", "aten.adaptive_max_pool2d",
    "aten.adaptive_max_pool3d", "aten.fractional_max_pool2d", "aten.amax", "aten.max",
})  # fmt: skip
_MINIMA = frozenset({"aten.amin", "aten.min"})
_LOGARITHMS = frozenset({"aten._log_softmax", "aten.logsumexp"})
_SOFTMAX = frozenset({"aten._softmax", "aten._safe_softmax"}) | _LOGARITHMS
# All orders of more values would take too long; no operation of networks has them.
_MOST_CHANGING = 4


@dataclass(frozen=True)
class Change:
    """What an operation got and gave in the pass of the images, and in that of their baselines."""

    ours: Sequence[Tensor]
    theirs: Sequence[Tensor]
    our_results: Sequence[Tensor | None]
    their_results: Sequence[Tensor | None]

    @property
    def results(self) -> tuple[Tensor, Tensor]:
        """The first result in either pass."""
        ours, theirs = self.our_results[0], self.their_results[0]
        assert ours is not None
        assert theirs is not None
        return ours, theirs


def pass_change_back(step: Step, change: Change, multipliers: Cotangents) -> Cotangents:
    """Return the multipliers of a step's sources, from those of its results."""
    pointwise, first = step.pointwise, multipliers[0]
    if pointwise and step.name == "aten.div" and len(set(step.sources)) > 1:
        return _quotient(change, _there(first))
    if pointwise and step.name not in _BILINEAR and len(set(step.sources)) <= _MOST_CHANGING:
        return _pointwise(step, change, multipliers)
    if step.name in _SOFTMAX:
        return [_softmax(step, change, _there(first))]
    if not pointwise and step.name in _MAXIMA | _MINIMA:
        return [_extreme(step, change, multipliers)]
    return step.pull_back(_halfway(change, conditions=pointwise), multipliers)


def difference(image: Tensor, start: Tensor) -> Tensor:
    """Return ``image - start``; of conditions 1, 0 or -1."""
    if image.is_floating_point():
        return image - start
    return image.float() - start.float()


def _halfway(change: Change, *, conditions: bool) -> list[Tensor]:
    floats = [each.dtype for each in change.ours if each.is_floating_point()]
    kind = floats[0] if floats else torch.get_default_dtype()
    moved = {torch.bool} if conditions or not floats else set()
    return [
        (ours.to(kind) + theirs.to(kind)) / 2
        if ours.is_floating_point() or ours.dtype in moved
        else ours
        for ours, theirs in zip(change.ours, change.theirs, strict=True)
    ]


def _pointwise(step: Step, change: Change, multipliers: Cotangents) -> Cotangents:
    first = _there(multipliers[0])
    shares, slopes = _shares(step, change), _slopes(step, change.ours, multipliers)
    found: Cotangents = []
    for place, number in enumerate(step.sources):
        if number in step.sources[:place]:  # the first place decides for all
            found.append(None)
            continue
        image, start = change.ours[place], change.theirs[place]
        gain, level = _gain(image, start)
        part = (first * shares[number]).sum_to_size(image.shape)
        slope = torch.zeros_like(gain)
        for each, other in zip(slopes, step.sources, strict=True):
            slope = slope + each if other == number and each is not None else slope
        total = torch.where(level, slope, part / gain)
        found.append(total.to(image.dtype) if image.is_floating_point() else total)
    return found


def _shares(step: Step, change: Change) -> dict[int, Tensor]:
    """Return the part that each changing value has in the change of the result (Shapley)."""
    players = list(dict.fromkeys(step.sources))
    count, ends = len(players), change.results
    if count == 1:
        return {players[0]: difference(*ends)}
    outcome: dict[tuple[int, ...], Tensor] = {}
    for chosen in product((0, 1), repeat=count):
        moved = dict(zip(players, chosen, strict=True))
        values = [
            theirs if moved[number] else ours
            for number, ours, theirs in zip(step.sources, change.ours, change.theirs, strict=True)
        ]
        whole = sum(chosen) in (0, count)
        outcome[chosen] = ends[chosen[0]] if whole else step.again(values)[0]
    shares = {player: torch.zeros_like(difference(*ends)) for player in players}
    for place, player in enumerate(players):
        for chosen in product((0, 1), repeat=count):
            if not chosen[place]:
                other = (*chosen[:place], 1, *chosen[place + 1 :])
                before = sum(chosen)
                weight = factorial(before) * factorial(count - before - 1) / factorial(count)
                shares[player] += weight * difference(outcome[chosen], outcome[other])
    return shares


def _slopes(step: Step, inputs: Sequence[Tensor], multipliers: Cotangents) -> Cotangents:
    """Return the derivatives at the image, which count where a value doesn't change."""
    floats = any(each.is_floating_point() for each in inputs)
    if not floats or not step.again(inputs)[0].is_floating_point():
        return [None] * len(inputs)
    return step.pull_back(inputs, multipliers)


def _gain(image: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return the difference, and where it is rounding or none."""
    gain = difference(image, start)
    size = image.to(gain).abs().maximum(start.to(gain).abs())
    rounding = 4 * torch.finfo(gain.dtype).eps * size
    return gain, ~(gain.abs() > rounding)  # differences of infinities are none


def _extreme(step: Step, change: Change, multipliers: Cotangents) -> Tensor:
    """Let each pass's own way to the more extreme of both results count."""
    ours, theirs = change.results
    first, others = _there(multipliers[0]), [None] * (len(multipliers) - 1)
    above = ours.minimum(theirs) if step.name in _MINIMA else ours.maximum(theirs)
    (here,) = step.pull_back(change.ours, [first * (above - theirs), *others])
    (there,) = step.pull_back(change.theirs, [first * (ours - above), *others])
    (slope,) = step.pull_back(change.ours, multipliers)
    gain, level = _gain(change.ours[0], change.theirs[0])
    return torch.where(level, _there(slope), (_there(here) + _there(there)) / gain)


def _quotient(change: Change, multiplier: Tensor) -> Cotangents:
    """Follow the numerator at the larger divisor, and the divisor at the other pass's numerator.

    A plain baseline leaves nothing to divide and nearly nothing to divide by, in every norm. The
    mean of both orders would multiply by the inverse of that, at each of a network's norms.
    """
    (above, below), (start, floor) = change.ours, change.theirs
    first = below.abs() >= floor.abs()
    found = multiplier / torch.where(first, below, floor)
    gain, level = _gain(below, floor)
    inverse = torch.where(level, -1 / below**2, (1 / below - 1 / floor) / gain)
    rest = torch.where(first, start, above) * inverse * multiplier
    return [found.sum_to_size(above.shape), rest.sum_to_size(below.shape)]


def _softmax(step: Step, change: Change, multiplier: Tensor) -> Tensor:
    """Follow exponentials by the rescale rule, and their quotient by their sum as a product."""
    image, dim = change.ours[0], step.argument(1)
    if step.name == "aten.logsumexp" and not step.argument(2, default=False):
        for place in sorted(each % image.ndim for each in dim):
            multiplier = multiplier.unsqueeze(place)
    ours, theirs, given = image.double(), change.theirs[0].double(), multiplier.double()
    # The shift is the same in both passes, so that it has no part in the difference.
    shift = ours.amax(dim=dim, keepdim=True).maximum(theirs.amax(dim=dim, keepdim=True))
    first, second = (ours - shift).exp(), (theirs - shift).exp()
    sums = first.sum(dim=dim, keepdim=True), second.sum(dim=dim, keepdim=True)
    gain, level = _gain(ours, theirs)
    slope = torch.where(level, first, (first - second) / gain)
    if step.name in _LOGARITHMS:
        gain, level = _gain(*sums)
        steepness = torch.where(level, 1 / sums[0], (sums[0].log() - sums[1].log()) / gain)
        if step.name == "aten.logsumexp":
            return (given * steepness * slope).to(image)
        return (given - given.sum(dim=dim, keepdim=True) * steepness * slope).to(image)
    middle = (given * (first + second) / 2).sum(dim=dim, keepdim=True)
    inverse = (1 / sums[0] + 1 / sums[1]) / 2
    return ((given * inverse - middle / (sums[0] * sums[1])) * slope).to(image)


def _there(found: Tensor | None) -> Tensor:
    assert found is not None
    return found
