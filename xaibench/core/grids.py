"""Vectors on a grid with a margin of zeros, row after row: a neighbor lies some places on.

A coarser grid holds every second place of either axis, and interpolates between them.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad


class PaddedGrid(NamedTuple):
    """Sides of a grid and of the same with its margin: one before, and one or two behind."""

    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """The sides with the margin: odd, so that each coarse place has both of its neighbors."""
        return 2 * (self.height // 2) + 3, 2 * (self.width // 2) + 3

    @property
    def inside(self) -> slice:
        """From the first place all of whose neighbors exist to behind the last."""
        return slice(self.shape[1] + 1, self.shape[0] * self.shape[1] - self.shape[1] - 1)

    @property
    def coarser(self) -> "PaddedGrid":
        """The grid of every second place."""
        return PaddedGrid(self.height // 2 + 1, self.width // 2 + 1)

    def view(self, flat: Tensor) -> Tensor:
        """Return the grid without its margin, ``(..., H, W)``."""
        return self.whole(flat)[..., 1 : self.height + 1, 1 : self.width + 1]

    def whole(self, flat: Tensor) -> Tensor:
        """Return the grid with its margin."""
        return flat.reshape(*flat.shape[:-1], *self.shape)

    def flatten(self, values: Tensor) -> Tensor:
        """Lay ``(..., H, W)`` out with its margin."""
        right, below = (self.shape[1] - self.width - 1, self.shape[0] - self.height - 1)
        return pad(values, (1, right, 1, below)).flatten(-2)


def sum_neighbors(vector: Tensor, grid: PaddedGrid) -> Tensor:
    """Return the sums over neighbors, weighed [1, 2, 1] along both axes, of all places inside."""
    row = grid.shape[1]
    beside = vector[..., 1:] + vector[..., :-1]
    beside = beside[..., 1:] + beside[..., :-1]
    below = beside[..., row:] + beside[..., :-row]
    return below[..., row:] + below[..., :-row]


def thirds(values: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return what lies on the coarse places of an axis with its margin, before and behind them."""
    last = values.movedim(axis, -1)
    parts = (last[..., 1::2], last[..., :-1:2], last[..., 2::2])
    on, before, behind = (part.movedim(-1, axis) for part in parts)
    return on, before, behind


def coarsen(vector: Tensor, grid: PaddedGrid) -> Tensor:
    """Give each coarse place its own value and half of those beside it, along both axes."""
    values = grid.whole(vector)
    for axis in (-2, -1):
        on, before, behind = thirds(values, axis)
        values = torch.add(before, behind).mul_(0.5).add_(on)
    return grid.coarser.flatten(values)


def refine(vector: Tensor, grid: PaddedGrid) -> Tensor:
    """Interpolate between coarse places, along both axes."""
    values = grid.coarser.view(vector)
    for axis, size in ((-2, grid.height), (-1, grid.width)):
        shape = [*values.shape]
        shape[axis] = 2 * shape[axis]
        finer = values.new_empty(shape).movedim(axis, -1)
        coarse = values.movedim(axis, -1)
        finer[..., ::2] = coarse
        torch.add(coarse[..., :-1], coarse[..., 1:], out=finer[..., 1:-1:2]).mul_(0.5)
        values = finer.movedim(-1, axis).narrow(axis, 0, size)
    return grid.flatten(values)
