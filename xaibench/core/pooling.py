"""One value for all images, and each image's part in it."""

import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

_ROWS_AT_ONCE = 4096
Pool = Callable[[Tensor], Tensor]


def linearise(statistics: Tensor, pool: Pool) -> Tensor:
    """Return one value for each image, ``(N,)``, whose mean is the pooled value itself.

    With m the mean of the statistics s_i, the value of image i is pool(m) + grad pool(m) . (s_i -
    m): what the image adds to the pooled value, to first order. The values' spread is that of the
    delta method, so that intervals and paired tests treat them like any others.

    Args:
        statistics: ``(N, S)``; a row with NaN is undefined, and so is its value.
        pool: differentiable, ``(S,)`` -> a scalar.
    """
    total, count = torch.zeros(statistics.shape[1], dtype=torch.float64), 0
    for block in _blocks(statistics):
        known = block[~block.isnan().any(dim=1)].double()
        total, count = total + known.sum(dim=0).cpu(), count + len(known)
    if not count:
        return torch.full((len(statistics),), torch.nan, dtype=torch.float64)
    mean = total / count
    with torch.inference_mode(mode=False), torch.enable_grad():
        at = mean.clone().requires_grad_()
        value = pool(at)
        (gradient,) = torch.autograd.grad(value, at)
    parts = [block.double().cpu() @ gradient for block in _blocks(statistics)]
    values: Tensor = value.detach() + torch.cat(parts) - mean @ gradient
    return values


def _blocks(statistics: Tensor) -> Iterator[Tensor]:
    for first in range(0, len(statistics), _ROWS_AT_ONCE):
        yield statistics[first : first + _ROWS_AT_ONCE]


class Spool:
    """Keeps the statistics of all batches on disk, so that memory stays flat."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        self._width = 0

    def close(self) -> None:
        """Drop them."""
        self._file.close()

    def add(self, statistics: Tensor) -> None:
        """Append ``(B, S)``."""
        self._width = statistics.shape[1]
        self._file.write(statistics.float().cpu().numpy().tobytes())

    def values(self, pool: Pool) -> Tensor:
        """Return `linearise` of all that was added, ``(N,)``; empty where nothing was."""
        self._file.flush()
        if not self._width:
            return torch.zeros(0, dtype=torch.float64)
        # Copy on write, as torch wants to be able to write; nothing does.
        rows = np.memmap(self._file, np.float32, mode="c").reshape(-1, self._width)
        return linearise(torch.from_numpy(rows), pool)
