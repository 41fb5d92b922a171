"""Extremal perturbation: the mask of a given area that keeps the logit highest."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method

# The mask has a value for each cell, and grows around it by a bump of this width, in cells.
_CELLS, _WIDTH, _TEMPERATURE = 32, 3.0, 0.05
_RATE, _MOMENTUM, _WEIGHT, _GROWTH = 0.01, 0.9, 300.0, 1.0035


@method(paper="fong2019extremal", family="perturbation", sign="none", rescale="none")
def extremal_perturbation(
    images: Tensor,
    differentiate: Callable[[Tensor], Tensor],
    *,
    area: float = 0.1,
    steps: int = 800,
    baseline: Baseline = "blur",
) -> Tensor:
    """Return the mask m that maximizes y(m x + (1 - m) x') - w |sort(m) - r_area|^2, (B, H, W).

    r_area is 1 for the given share of the pixels and 0 for the others; w grows step by step. A
    mask is a smooth maximum of bumps, so that it has no parts smaller than one of them.

    Options:
        area: share of the image that is kept.
        steps: of gradient ascent.
        baseline: x', what replaces the pixels outside the mask.
    """
    if steps < 1 or not 0 < area < 1:
        raise XaibenchError("extremal_perturbation: 'steps' from 1, 'area' between 0 and 1.")
    with torch.inference_mode(mode=False), torch.enable_grad():
        seen = images.clone()
        outside, size = baseline_of(seen, baseline), (seen.shape[2], seen.shape[3])
        cells = [max(length * _CELLS // max(size), 1) for length in size]
        values = torch.full_like(seen[:, :1, 0, 0], 0.5)[:, :, None, None].repeat(1, 1, *cells)
        values.requires_grad_()
        optimizer = torch.optim.SGD([values], lr=_RATE, momentum=_MOMENTUM, maximize=True)
        kept = torch.arange(size[0] * size[1], device=seen.device)
        wanted = (kept >= round((1 - area) * len(kept))).to(seen)
        for step in range(steps):
            mask = _enlarge(values, size)
            mixed = mask * seen + (1 - mask) * outside
            ordered = mask.flatten(1).sort(dim=1).values
            missed = (ordered - wanted).square().mean(dim=1).sum()
            weight = _WEIGHT * _GROWTH**step
            gradient = differentiate(mixed.detach())
            (rise,) = torch.autograd.grad(mixed, values, gradient, retain_graph=True)
            (cost,) = torch.autograd.grad(missed, values)
            values.grad = rise - weight * cost
            optimizer.step()
            with torch.no_grad():
                values.clamp_(0, 1)
        return _enlarge(values, size)[:, 0].detach()


def _enlarge(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Return masks ``(B, 1, H, W)`` of values ``(B, 1, h, w)``: a smooth maximum of bumps."""
    reach = int(2 * _WIDTH)
    steps = torch.arange(-reach, reach + 1).to(values)
    distance = (steps[:, None].square() + steps.square()).sqrt() / _WIDTH
    bump = torch.exp(-((distance - 1 / _WIDTH).clamp(min=0) ** 2) / 2)
    around = functional.unfold(values, 2 * reach + 1, padding=reach) * bump.flatten()[:, None]
    shares = (around / _TEMPERATURE).softmax(dim=1)
    coarse = (shares * around).sum(dim=1).view_as(values)
    return functional.interpolate(coarse, size, mode="bilinear")
