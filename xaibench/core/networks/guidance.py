"""What a classifier's own map costs where masks say it should lie elsewhere; one value an image.

Those `OF_CELLS` take the positive part of a class activation map ``(B, h, w)``, at least 0, and
what share of each of its cells is marked, ``(B, h, w)`` in [0, 1]. Inside are the cells of which at
least half as much is marked as of the fullest one: by shares alone the best map were that one cell.

Those `OF_PIXELS` take the map as it is, of either sign, and the marked pixels ``(B, H, W)``, 0 or
1. They see softplus of the map in place of its positive part, which gives no gradient to cells that
are to become positive.

Definitions follow rao2023guidance, whose names for them are in brackets.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from xaibench.core.maps import resize
from xaibench.core.networks.losses import dice as dice_of

Guidance = Callable[[Tensor, Tensor], Tensor]
_NOTHING = 1e-6
# How sharply a map is cut at half of its maximum.
_SHARPNESS, _HALF = 10.0, 0.5
# RES: how sharply the map is cut, and a 3x3 Gaussian.
_STEEPNESS = 5.0
_GAUSSIAN = (0.25, 0.5, 0.25)


def energy(cam: Tensor, marked: Tensor) -> Tensor:
    """Return the share of the enlarged map that lies outside, ``(B,)`` (Energy)."""
    return _outside(resize(functional.softplus(cam), _size(marked)), marked)


def rrr(cam: Tensor, marked: Tensor) -> Tensor:
    """Return the sum of squares outside, of a map with maximum 1, ``(B,)`` (RRR; ross2017right)."""
    return (_up_to_one(cam) * (1 - _inside(marked))).square().sum(dim=(1, 2))


def l1(cam: Tensor, marked: Tensor) -> Tensor:
    """Return the mean difference to a map with maximum 1, ``(B,)`` (L1; GRADIA)."""
    return (_up_to_one(cam) - marked).abs().mean(dim=(1, 2))


def dice(cam: Tensor, marked: Tensor) -> Tensor:
    """Return the Dice loss of a map with maximum 1, ``(B,)``."""
    return dice_of(_up_to_one(cam), marked)


def ppce(cam: Tensor, marked: Tensor) -> Tensor:
    """Return the mean of -log inside, of a map with maximum 1, ``(B,)`` (PPCE; HAICS)."""
    inside = _inside(marked)
    each = -_up_to_one(cam).clamp(min=_NOTHING).log() * inside
    return each.sum(dim=(1, 2)) / inside.sum(dim=(1, 2))


def res(cam: Tensor, marked: Tensor) -> Tensor:
    """Return how far a map with maximum 1 is from a mask that may be inexact, ``(B,)``.

    gao2022res, with Gaussian imputation: the mean difference of tanh(5 (map - a)) to 1 inside and
    -1 outside, where the cut a fits most cells, inside and outside counting alike; and the mean
    difference of the map to the blurred mask, with maximum 1.
    """
    relative, inside = _up_to_one(cam), _inside(marked)
    cut = _best_cut(relative.detach(), inside)[:, None, None]
    sides = torch.tanh(_STEEPNESS * (relative - cut))
    beside = (sides - (2 * inside - 1)).abs().mean(dim=(1, 2))
    row = torch.tensor(_GAUSSIAN).to(cam)
    padded = functional.pad(inside[:, None], (1, 1, 1, 1), mode="replicate")
    blurred = _up_to_one(functional.conv2d(padded, (row[:, None] * row)[None, None])[:, 0])
    return beside + (relative - blurred).abs().mean(dim=(1, 2))


def energy_dice(cam: Tensor, marked: Tensor) -> Tensor:
    """Return what a map costs that is to fill the mask and nothing else, ``(B,)``.

    The share of its cells' sum that lies outside, and the Dice loss of the enlarged map, stretched
    to [0, 1] and cut at 0.5: energy alone is content with a single cell.
    """
    soft = functional.softplus(cam)
    shares = functional.adaptive_avg_pool2d(marked[:, None], _size(cam))[:, 0]
    enlarged = resize(soft, _size(marked))
    lowest = enlarged.amin(dim=(1, 2), keepdim=True)
    cut = torch.sigmoid(_SHARPNESS * (_up_to_one(enlarged - lowest) - _HALF))
    return _outside(soft, _inside(shares)) + dice_of(cut, marked)


def _outside(maps: Tensor, inside: Tensor) -> Tensor:
    within = (maps * inside).sum(dim=(1, 2))
    return 1 - within / maps.sum(dim=(1, 2)).clamp(min=_NOTHING)


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[-2], maps.shape[-1]


def _best_cut(maps: Tensor, inside: Tensor) -> Tensor:
    """Return each map's value at which most cells inside are at or above it, and outside below."""
    values, within = maps.flatten(1), inside.flatten(1)
    above = (values[:, None] >= values[:, :, None]).to(values.dtype)  # of a cell (2) at a cut (1)
    hits = (above * within[:, None]).sum(dim=2) / within.sum(dim=1, keepdim=True)
    without = 1 - within
    misses = ((1 - above) * without[:, None]).sum(dim=2)
    fits = hits + misses / without.sum(dim=1, keepdim=True).clamp(min=1)
    return values.take_along_dim(fits.argmax(dim=1, keepdim=True), dim=1)[:, 0]


def _inside(marked: Tensor) -> Tensor:
    return (marked >= marked.amax(dim=(1, 2), keepdim=True) / 2).to(marked.dtype)


def _up_to_one(cam: Tensor) -> Tensor:
    return cam / cam.amax(dim=(1, 2), keepdim=True).clamp(min=_NOTHING)


OF_CELLS: Mapping[str, Guidance] = {each.__name__: each for each in (rrr, l1, dice, ppce, res)}
OF_PIXELS: Mapping[str, Guidance] = {each.__name__: each for each in (energy, energy_dice)}
