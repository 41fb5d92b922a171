"""What a classifier's own map costs where masks say it should lie elsewhere; one value an image.

Each takes the positive part of a class activation map ``(B, h, w)``, at least 0, and what share of
each of its cells is marked, ``(B, h, w)`` in [0, 1]. Inside are the cells of which at least half as
much is marked as of the fullest one: by shares alone the best map were that one cell. Definitions
follow rao2023guidance, whose names for them are in brackets.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from xaibench.core.networks.losses import dice as dice_of

Guidance = Callable[[Tensor, Tensor], Tensor]
_NOTHING = 1e-6


def energy(cam: Tensor, marked: Tensor) -> Tensor:
    """Return the share of the map that lies outside, ``(B,)`` (Energy)."""
    inside = (cam * _inside(marked)).sum(dim=(1, 2))
    return 1 - inside / cam.sum(dim=(1, 2)).clamp(min=_NOTHING)


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


def _inside(marked: Tensor) -> Tensor:
    return (marked >= marked.amax(dim=(1, 2), keepdim=True) / 2).to(marked.dtype)


def _up_to_one(cam: Tensor) -> Tensor:
    return cam / cam.amax(dim=(1, 2), keepdim=True).clamp(min=_NOTHING)


GUIDANCE: Mapping[str, Guidance] = {each.__name__: each for each in (energy, rrr, l1, dice, ppce)}
