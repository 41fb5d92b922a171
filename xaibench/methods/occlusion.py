"""Occlusion: what the logit loses when a window of the image is covered."""

from collections.abc import Callable
from functools import partial
from itertools import product

import torch
from torch import Tensor

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method

_WINDOW = 30


@method(paper="zeiler2014occlusion", family="perturbation")
def occlusion(
    images: Tensor,
    respond: Callable[..., Tensor],
    *,
    window: int = 0,
    stride: int = 0,
    baseline: Baseline = "black",
    part: Polarity = "signed",
) -> Tensor:
    """Return the mean drop of the logit over the windows that cover each pixel, shape (B, H, W).

    Options:
        window: side of the square window in pixels; 0 takes 30, in images whose shorter side is
            below 60 half of that.
        stride: step between windows; 0 takes half a window. The last window ends at the border.
        baseline: what replaces the covered window.
        part: of the mean drop; ``positive`` where the logit falls under the window, ``negative``
            where it rises. Of ``signed`` the sign rule keeps what falls, too.
    """
    height, width = images.shape[2:]
    window = window or max(min(_WINDOW, min(height, width) // 2), 1)
    step = stride or max(window // 2, 1)
    if not 0 < window <= min(height, width) or not 0 < step <= window:
        raise XaibenchError(
            f"occlusion[window={window},stride={stride}]: the window must fit into the image "
            f"({height} x {width}) and the stride into the window."
        )
    corners = list(product(_starts(height, window, step), _starts(width, window, step)))
    fill = baseline_of(images, baseline)
    counts = _spread(torch.ones(len(corners) + 1), corners, window, (height, width))

    def covered(row: int, first: int, last: int) -> Tensor:
        copies = images[row].repeat(last - first, 1, 1, 1)
        for copy, (top, left) in zip(copies, corners[first:last], strict=False):  # the last: none
            place = (..., slice(top, top + window), slice(left, left + window))
            copy[place] = fill[row][place]
        return copies

    maps = []
    for row in range(len(images)):
        logits = respond(row, partial(covered, row), len(corners) + 1)
        drops = logits[-1] - logits
        maps.append(_spread(drops.cpu(), corners, window, (height, width)) / counts)
    return fold_channels(torch.stack(maps)[:, None], part).to(images.device)


def _starts(length: int, window: int, step: int) -> list[int]:
    return sorted({*range(0, length - window + 1, step), length - window})


def _spread(
    values: Tensor, corners: list[tuple[int, int]], window: int, size: tuple[int, int]
) -> Tensor:
    """Add each value to its window, shape (H, W)."""
    total = values.new_zeros(size)
    for value, (top, left) in zip(values.tolist(), corners, strict=False):
        total[top : top + window, left : left + window] += value
    return total
