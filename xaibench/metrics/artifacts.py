"""Grid artifacts of upsampling: steps in the map that come back one period on."""

import math

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import metric


@metric(
    title="Grid artifacts",
    higher_is_better=False,
    family="complexity",
    counted="any",
    ties="of no account",
    aliases=("artefacts",),
)
def artifacts(maps: Tensor, *, periods: tuple[int, ...] = (2, 4, 8, 16, 32)) -> Tensor:
    """Return max_p max(0, r(p) - max(r(p - 1), r(p + 1), 0)), shape (B,).

    r(p) is the correlation of the steps between neighboring pixels with those p pixels further in
    the step's direction, along rows and columns together. Smooth maps have steps that change
    smoothly, noise and edges have steps that don't come back: 0, but for chance, which reaches
    about 1 / sqrt(HW). Upsampling layers leave checkerboards and blocks that come back at just
    their period (odena2016deconvolution): up to 1. A faint grid counts by its share of the steps'
    energy. It depends neither on the map's scale nor on where it lies; NaN for a constant map.

    Options:
        periods: in pixels; those above half a side say nothing and are left out.

    >>> from torch import arange, stack
    >>> places = (arange(6)[:, None] + arange(8)).float()
    >>> artifacts(stack([places % 2, places / 12])).round(decimals=3)
    tensor([1., 0.])
    """
    if not periods or min(periods) < 2:  # noqa: PLR2004
        raise XaibenchError("artifacts: 'periods' are whole numbers of 2 or more.")
    scaled = maps.double()
    steps = [scaled.diff(dim=2), scaled.diff(dim=1).mT]
    found = torch.zeros_like(scaled[:, 0, 0])
    for period in periods:
        if 2 * period <= min(maps.shape[1:]):
            beside = _alike(steps, period - 1).maximum(_alike(steps, period + 1)).clamp(min=0)
            found = found.maximum(_alike(steps, period) - beside)
    constant = scaled.amax(dim=(1, 2)) == scaled.amin(dim=(1, 2))
    return found.clamp(0, 1).masked_fill(constant, math.nan).to(maps.dtype)


def _alike(steps: list[Tensor], lag: int) -> Tensor:
    """Return the correlation ``(B,)`` of steps along the last axis with those ``lag`` further."""
    here = torch.cat([part[:, :, :-lag].flatten(1) for part in steps], dim=1)
    there = torch.cat([part[:, :, lag:].flatten(1) for part in steps], dim=1)
    size = (here.square().sum(dim=1) * there.square().sum(dim=1)).sqrt()
    return ((here * there).sum(dim=1) / size).where(size > 0, 0.0)
