"""Noisy linear imputation: removed pixels become what their neighbors suggest (Rong et al. 2022).

Each removed pixel is the mean of its eight neighbors, weighed 1/6 beside and 1/12 across; those
outside of the image are left out. With the kept pixels given, that is a sparse linear system, one
for all colors.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu
from torch import Tensor

from xaibench.core.multigrid import Multigrid

# Half of the neighbors: the system is symmetric.
_NEIGHBORS = (((0, 1), 1 / 6), ((1, 0), 1 / 6), ((1, 1), 1 / 12), ((1, -1), 1 / 12))
_SMALL_ENOUGH = 64
_FEW, _FEW_OF_GRAY = 12_000, 6_000  # unknowns, up to which factors take less time
_TOLERANCE = 1e-5  # as estimated one step before the last: what is left is a tenth


def impute(images: Tensor, removed: Tensor) -> Tensor:
    """Return the images with their removed pixels imputed, without noise, ``(B, K, C, H, W)``.

    Where nothing is kept each channel becomes its mean. Large systems of one image are solved
    together by multigrid, to within 1e-5; on the CPU small ones have exact factors in less time.

    Args:
        images: ``(B, C, H, W)``.
        removed: ``(B, K, H, W)`` bool, K ways to remove pixels of each image.
    """
    filled = images.new_empty(*removed.shape[:2], *images.shape[1:])
    for given, gone, place in zip(images, removed, filled, strict=True):
        # Channels of a gray image are one: it is solved once, and all of them get it.
        image = given[:1] if (given == given[:1]).all() else given
        count = gone.flatten(1).sum(dim=1)
        few = _FEW if len(image) > 1 else _FEW_OF_GRAY
        iterated = (count > (0 if gone.is_cuda else few)) & (count < gone[0].numel())
        if iterated.any():
            place[iterated] = _iterate(image.double(), gone[iterated]).to(place)
        for at in (~iterated).nonzero()[:, 0].tolist():
            exact = _fill(image.double().cpu().numpy(), gone[at].cpu().numpy())
            place[at] = torch.from_numpy(exact).to(place)
    return filled


def _iterate(image: Tensor, removed: Tensor) -> Tensor:
    kept = image * ~removed[:, None]
    return kept + Multigrid(removed).solve(kept, _TOLERANCE)


def _fill(image: NDArray[np.float64], removed: NDArray[np.bool_]) -> NDArray[np.float64]:
    filled = image.copy()
    if removed.all():
        filled[:] = image.mean(axis=(1, 2), keepdims=True)
    elif removed.any():
        order = _dissect(*removed.shape)
        order = order[removed.ravel()[order]]
        known = _weigh_neighbors(np.where(removed, 0.0, image)).reshape(len(image), -1)
        # Symmetric and diagonally dominant: no pivoting, and the order is given.
        factors = splu(
            _system(removed, order), permc_spec="NATURAL", diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )  # fmt: skip
        filled.reshape(len(image), -1)[:, order] = factors.solve(known[:, order].T).T
    return filled


def _weigh_neighbors(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighed sum over all neighbors of each pixel, ``(C, H, W)``."""
    height, width = image.shape[1:]
    wide = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    total = np.zeros_like(image)
    for (down, right), weight in _NEIGHBORS:
        for side in (1, -1):
            top, left = 1 + side * down, 1 + side * right
            total += weight * wide[:, top : top + height, left : left + width]
    return total


def _system(removed: NDArray[np.bool_], order: NDArray[np.intp]) -> csc_array:
    """Return the matrix over the removed pixels, numbered in the given order."""
    height, width = removed.shape
    number = np.full(height * width, -1)
    number[order] = np.arange(len(order))
    number = number.reshape(height, width)
    rows, columns, values = [np.arange(len(order))], [np.arange(len(order))], []
    values.append(_weigh_neighbors(np.ones((1, height, width))).ravel()[order])
    for (down, right), weight in _NEIGHBORS:
        first = number[: height - down, max(-right, 0) : width - max(right, 0)].ravel()
        second = number[down:, max(right, 0) : width - max(-right, 0)].ravel()
        both = (first >= 0) & (second >= 0)
        rows += [first[both], second[both]]
        columns += [second[both], first[both]]
        values.append(np.full(2 * int(both.sum()), -weight))
    places = (np.concatenate(rows), np.concatenate(columns))
    return csc_array((np.concatenate(values), places), shape=(len(order), len(order)))


@cache
def _dissect(height: int, width: int) -> NDArray[np.intp]:
    """Return an order of the pixels that keeps the factors sparse: halves first, then the cut.

    Nested dissection is known for a grid; a general ordering would take longer to find than the
    factors take to compute.
    """
    parts: list[NDArray[np.intp]] = []
    grid = np.arange(height * width).reshape(height, width)

    def cut(block: NDArray[np.intp]) -> None:
        if block.size <= _SMALL_ENOUGH:
            parts.append(block.ravel())
            return
        rows = block if block.shape[0] >= block.shape[1] else block.T
        middle = len(rows) // 2
        cut(rows[:middle])
        cut(rows[middle + 1 :])
        parts.append(rows[middle])

    cut(grid)
    return np.concatenate(parts)
