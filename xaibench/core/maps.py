"""From raw maps to scored maps: sign rule, resizing and rescaling, once and for all methods."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from xaibench.core.passes.precision import at_least_single

OK, CONSTANT, NON_FINITE = "ok", "constant map", "non-finite map"
# A map that varies by less than this share of its size varies by rounding alone.
_FLAT = 1e-6


def finish(
    raw: Tensor,
    size: tuple[int, int],
    *,
    sign: Literal["relu", "abs", "none"] = "relu",
    rescale: Literal["minmax", "none"] = "minmax",
) -> tuple[Tensor, list[str]]:
    """Turn raw maps ``(B, h, w)`` into saliency maps ``(B, H, W)`` in [0, 1].

    In this order: sign rule, bilinear resize to ``size`` (``align_corners=False``), rescaling
    (min-max per image, or none: clamped to [0, 1]). Maps with a non-finite value, and under
    min-max constant ones, become zeros: they score as chance when pointing and as an empty
    prediction elsewhere.

    Returns:
        The maps, and for each the status ``ok``, ``constant map`` or ``non-finite map``.
    """
    raw = at_least_single(raw)
    finite = torch.isfinite(raw.float()).flatten(1).all(dim=1)  # as maps are stored
    maps = resize(apply_sign(torch.where(finite[:, None, None], raw, 0.0), sign), size)
    flat = torch.zeros_like(finite)
    if rescale == "minmax":
        lowest, highest = _range(maps)
        span = highest - lowest
        flat = span <= _FLAT * lowest.abs().maximum(highest.abs())
        finite &= torch.isfinite(span)  # values near the largest float overflow
        maps = (maps - lowest[:, None, None]).div_(span[:, None, None])
    else:
        maps = maps.clamp(0, 1)
    maps[flat | ~finite] = 0.0
    return maps, statuses_of(finite, flat)


def statuses_of(finite: Tensor, flat: Tensor) -> list[str]:
    """Name what is wrong with maps, from which of them are finite and which constant, ``(B,)``."""
    return [
        NON_FINITE if not is_finite else CONSTANT if is_flat else OK
        for is_finite, is_flat in torch.stack([finite, flat], dim=1).tolist()
    ]


def apply_sign(raw: Tensor, sign: Literal["relu", "abs", "none"]) -> Tensor:
    """Keep positive relevance (``relu``), its size (``abs``) or everything (``none``)."""
    if sign == "relu":
        return raw.relu()
    return raw.abs() if sign == "abs" else raw


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize ``(B, h, w)`` bilinearly, ``align_corners=False``; unchanged where it fits."""
    if maps.shape[1:] == size:
        return maps
    if torch.is_grad_enabled() and maps.requires_grad:
        return functional.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[
            :, 0
        ]
    # The same kernel: `interpolate` would take forty on a GPU whose gradients are to be repeatable.
    resized: Tensor = torch.ops.aten.upsample_bilinear2d(maps[:, None], size, align_corners=False)
    return resized[:, 0]


def min_max(maps: Tensor) -> Tensor:
    """Stretch each map ``(B, H, W)`` to [0, 1]; a constant map becomes NaN or zeros."""
    lowest, highest = _range(maps)
    return (maps - lowest[:, None, None]) / (highest - lowest)[:, None, None]


def _range(maps: Tensor) -> tuple[Tensor, Tensor]:
    # Two passes, as torch's single one (aminmax) isn't vectorized: it takes ten times as long.
    return maps.amin(dim=(1, 2)), maps.amax(dim=(1, 2))
