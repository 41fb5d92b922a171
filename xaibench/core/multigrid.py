"""Sparse systems on a grid by conjugate gradients, preconditioned by one multigrid cycle.

The unknowns are the removed pixels of images; each is the mean of its eight neighbors, weighed 1/6
beside and 1/12 across, and the kept ones are given. Twelve times that matrix is the sum of
neighbors with weights 1, 2 and 4, which is [1, 2, 1] along both axes: four additions of whole
images. Coarser grids hold every second pixel of either axis (bilinear interpolation, Galerkin's
products), so that seven or eight iterations do for holes of any size.

All vectors are ``(K, C, N)``: a grid with a margin of zeros, row after row, so that a neighbor is
the same vector some places on.
"""

import torch
from torch import Tensor

from xaibench.core.grids import PaddedGrid, coarsen, refine, sum_neighbors, thirds

_CENTER = 4  # the weight of the place itself in `sum_neighbors`
_DAMPING = 0.8
_COARSEST = 16  # pixels a side that are solved directly
_REGULAR = (
    1e-3  # of the diagonal: where single pixels are gone, coarse grids have too many unknowns
)
_REDUCTION = 1e-4  # of the error in single precision, before the residual is taken in double
_MOST_ROUNDS, _MOST_ITERATIONS = 8, 40


class Multigrid:
    """The systems of removed pixels ``(K, H, W)``, which are solved side by side."""

    def __init__(self, removed: Tensor) -> None:
        grid = PaddedGrid(*removed.shape[1:])
        self._grid, self._inside = grid, grid.inside
        gone = grid.flatten(removed[:, None].double())
        weights = sum_neighbors(
            grid.flatten(torch.ones_like(removed[:1, None], dtype=torch.float64)), grid
        )
        self._gone = gone[..., self._inside]
        self._diagonal = self._gone * weights
        self._single = (self._gone.float(), self._diagonal.float())
        stencil = _fine_stencil(gone.float(), weights.float(), grid)
        self._levels = [_Level(grid, stencil)]
        while max(self._levels[-1].grid) > _COARSEST:
            self._levels.append(self._levels[-1].coarsened())
        self._inverse = _inverse(self._levels[-1])

    def solve(self, kept: Tensor, tolerance: float = 1e-6) -> Tensor:
        """Return the removed pixels' values, and 0 elsewhere.

        Args:
            kept: images ``(K, C, H, W)`` in double precision, 0 where they are removed.
            tolerance: largest error of a value; it is estimated by the preconditioner.
        """
        right = torch.zeros_like(flat := self._grid.flatten(kept))
        right[..., self._inside] = self._gone * sum_neighbors(flat, self._grid)
        found = torch.zeros_like(right)
        for _ in range(_MOST_ROUNDS):
            step, error = self._improve((right - self._apply(found)).float(), tolerance)
            found += step
            if error < tolerance:
                break
        return self._grid.view(found)

    def _improve(self, residual: Tensor, tolerance: float) -> tuple[Tensor, float]:
        """Return what takes a residual away, in single precision, and the error before the last."""
        step = torch.zeros_like(residual)
        direction: Tensor | None = None
        power: Tensor | None = None
        error, enough = 0.0, tolerance
        for _ in range(_MOST_ITERATIONS):
            guess = self._cycle(residual)
            error = float(guess.abs().max())
            enough = max(enough, _REDUCTION * error) if direction is None else enough
            if error < enough:
                break
            now = (residual * guess).sum(dim=-1, keepdim=True)
            if direction is None or power is None:
                direction = guess
            else:
                direction = torch.addcmul(guess, direction, _quotient(now, power))
            power, turned = now, self._apply(direction)
            length = _quotient(now, (direction * turned).sum(dim=-1, keepdim=True))
            step.addcmul_(direction, length)
            residual.addcmul_(turned, length, value=-1)
        return step.add_(guess), error

    def _apply(self, vector: Tensor) -> Tensor:
        """Multiply by the matrix of the finest grid, which has the same weights everywhere."""
        single = vector.dtype == torch.float32
        gone, diagonal = self._single if single else (self._gone, self._diagonal)
        product = torch.zeros_like(vector)
        inside = torch.mul(vector[..., self._inside], diagonal, out=product[..., self._inside])
        inside.addcmul_(gone, sum_neighbors(vector, self._grid), value=-1)
        return product

    def _cycle(self, residual: Tensor, at: int = 0) -> Tensor:
        """Return roughly the solution: smooth, correct on the coarser grid, smooth again."""
        level = self._levels[at]
        if at == len(self._levels) - 1:
            values = level.grid.view(residual).flatten(-2) @ self._inverse
            return level.grid.flatten(values.reshape(*values.shape[:-1], *level.grid))
        guess = level.smoother * residual
        # The diagonal's share of what is left is known without multiplying by it.
        left = (1 - _DAMPING) * residual
        left[..., level.inside] += self._beside(level, guess, at)
        coarse = self._cycle(coarsen(left, level.grid), at + 1)
        guess.addcmul_(level.unknown, refine(coarse, level.grid))
        right = self._beside(level, guess, at).add_(residual[..., level.inside])
        guess.mul_(1 - _DAMPING)
        guess[..., level.inside].addcmul_(level.smoother[..., level.inside], right)
        return guess

    def _beside(self, level: "_Level", vector: Tensor, at: int) -> Tensor:
        """Return what neighbors add to each place inside: the diagonal minus the matrix."""
        if at:
            return level.beside(vector)
        total = sum_neighbors(vector, level.grid).add_(vector[..., level.inside], alpha=-_CENTER)
        return total.mul_(self._single[0])


class _Level:
    """One grid with its matrix: ``stencil`` ``(3, 3, K, 1, N)`` holds each place's neighbors."""

    def __init__(self, grid: PaddedGrid, stencil: Tensor) -> None:
        self.grid, self.stencil = grid, stencil
        self.inside = grid.inside
        self._offsets = [(y - 1) * grid.shape[1] + x - 1 for y in range(3) for x in range(3)]
        diagonal = stencil[1, 1]
        self.unknown = (diagonal > 0).to(diagonal)
        self.smoother = torch.where(diagonal > 0, _DAMPING / diagonal, 0.0)

    def beside(self, vector: Tensor) -> Tensor:
        """Return what neighbors add to each place inside: the diagonal minus the matrix."""
        inside = self.inside
        total = torch.zeros_like(vector[..., inside])
        for there, weights in zip(self._offsets, self.stencil.flatten(0, 1), strict=True):
            if there:
                neighbor = vector[..., inside.start + there : inside.stop + there]
                total.addcmul_(weights[..., inside], neighbor, value=-1)
        return total

    def coarsened(self) -> "_Level":
        """Return the next coarser level: Galerkin's product, along one axis after the other."""
        stencil = self.grid.whole(self.stencil)
        # (3, 3, K, 1, H, W): offsets along y and x lie on the axes 0 and 1.
        stencil = _galerkin(stencil, 1, -1)
        stencil = _galerkin(stencil, 0, -2)
        return _Level(self.grid.coarser, self.grid.coarser.flatten(stencil))


def _fine_stencil(gone: Tensor, weights: Tensor, grid: PaddedGrid) -> Tensor:
    inside, row = grid.inside, grid.shape[1]
    stencil = gone.new_zeros(3, 3, *gone.shape)
    for place in range(9):
        there = (place // 3 - 1) * row + place % 3 - 1
        neighbor = gone[..., inside.start + there : inside.stop + there]
        weight = (1, 2, 1)[place // 3] * (1, 2, 1)[place % 3]
        stencil[place // 3, place % 3, ..., inside] = -weight * neighbor * gone[..., inside]
    stencil[1, 1, ..., inside] += weights * gone[..., inside]
    return stencil


def _galerkin(stencil: Tensor, offset: int, axis: int) -> Tensor:
    """Coarsen a matrix along one axis; its neighbors there lie along the axis ``offset``.

    A coarse place lies on each second fine one, and those between are halfway.
    """
    back, own, ahead = (thirds(part, axis) for part in stencil.unbind(offset))
    diagonal = own[0] + (own[1] + own[2]) / 4
    diagonal += (back[0] + ahead[0] + ahead[1] + back[2]) / 2
    lower = (back[0] + back[1]) / 2 + own[1] / 4
    upper = (ahead[0] + ahead[2]) / 2 + own[2] / 4
    return torch.stack([lower, diagonal, upper], dim=offset)


def _inverse(level: _Level) -> Tensor:
    """Return the inverse of a small matrix, ``(K, P, P)``."""
    grid = level.grid
    count = grid.height * grid.width
    single = torch.eye(count, device=level.stencil.device).view(count, *grid)
    single = single.expand(level.stencil.shape[2], *single.shape)
    vectors = grid.flatten(single)
    product = level.stencil[1, 1] * vectors
    product[..., level.inside] -= level.beside(vectors)
    matrix = grid.view(product).flatten(-2)
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    added = torch.where(diagonal > 0, _REGULAR * diagonal, 1.0)
    return torch.cholesky_inverse(torch.linalg.cholesky(matrix + torch.diag_embed(added)))


def _quotient(above: Tensor, below: Tensor) -> Tensor:
    """Divide; 0 where an image's channel has no residual left."""
    return torch.where(below > 0, above / below, 0.0)
