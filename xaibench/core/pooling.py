"""One value for all images, and each image's part in it."""

import tempfile
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_ROWS_AT_ONCE = 64
Pool = Callable[[Tensor], Tensor]
Rows = NDArray[np.floating]


def linearize(statistics: Tensor, pool: Pool) -> Tensor:
    """Return one value for each image, ``(N,)``, whose mean is the pooled value itself.

    With m the mean of the statistics s_i, the value of image i is pool(m) + grad pool(m) . (s_i -
    m): what the image adds to the pooled value, to first order. The values' spread is that of the
    delta method, so that intervals and paired tests treat them like any others.

    Args:
        statistics: ``(N, S)``; a row with NaN is undefined, and so is its value.
        pool: differentiable, ``(S,)`` -> a scalar.
    """
    rows = statistics.detach().cpu().numpy()
    starts = range(0, len(rows), _ROWS_AT_ONCE)
    return _linearize(
        lambda: (rows[first : first + _ROWS_AT_ONCE] for first in starts), rows.shape[1], pool
    )


def _linearize(blocks: Callable[[], Iterable[Rows]], width: int, pool: Pool) -> Tensor:
    total, counted, count = np.zeros(width), 0, 0
    for block in blocks():
        known = block[~np.isnan(block).any(axis=1)]
        total += known.sum(axis=0, dtype=np.float64)
        counted, count = counted + len(known), count + len(block)
    if not counted:
        return torch.full((count,), torch.nan, dtype=torch.float64)
    mean = total / counted
    with torch.inference_mode(mode=False), torch.enable_grad():
        at = torch.from_numpy(mean).clone().requires_grad_()
        value = pool(at)
        (gradient,) = torch.autograd.grad(value, at)
    # In numpy, as torch's aligned memory leaves gaps: with each block the process would grow.
    slope = gradient.numpy()
    parts = [(block.astype(np.float64) - mean) @ slope for block in blocks()]
    values: Tensor = value.detach() + torch.from_numpy(np.concatenate(parts))
    return values


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
        """Return `linearize` of all that was added, ``(N,)``; empty where nothing was."""
        if not self._width:
            return torch.zeros(0, dtype=torch.float64)
        return _linearize(self._blocks, self._width, pool)

    def _blocks(self) -> Iterator[Rows]:
        self._file.seek(0)
        while len(read := np.fromfile(self._file, np.float32, _ROWS_AT_ONCE * self._width)):
            yield read.reshape(-1, self._width)
