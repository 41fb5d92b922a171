"""Multigrid against the sparse factors of the same systems."""

import numpy as np
import torch

from xaibench.core.imputation import _FEW, _fill, impute
from xaibench.core.multigrid import Multigrid


def removals(height, width, seed=0):
    """Single pixels, a large hole with an island, all but a corner, and a frame."""
    generator = torch.Generator().manual_seed(seed)
    gone = torch.zeros(4, height, width, dtype=torch.bool)
    gone[0] = torch.rand(height, width, generator=generator) < 0.1
    gone[1, 3:-4, 5:-2] = True
    gone[1, height // 2, width // 2] = False
    gone[2] = True
    gone[2, :2, :3] = False
    gone[3] = True
    gone[3, 2:-3, 4:-5] = False
    return gone


def exact(image, gone):
    return torch.stack([torch.from_numpy(_fill(image.numpy(), each.numpy())) for each in gone])


def test_it_solves_what_factors_solve_at_any_size():
    for height, width in ((11, 13), (37, 62), (64, 33)):
        image = torch.rand(3, height, width, dtype=torch.float64)
        gone = removals(height, width)
        kept = image * ~gone[:, None]
        found = kept + Multigrid(gone).solve(kept)
        np.testing.assert_allclose(found, exact(image, gone), atol=1e-5, err_msg=f"{height, width}")


def test_large_systems_are_imputed_as_small_ones_are_each_way_for_itself():
    images = torch.rand(1, 2, 104, 131, generator=torch.Generator().manual_seed(2))
    gone = removals(104, 131)[None]
    assert (gone[0].flatten(1).sum(dim=1) > _FEW).tolist() == [False, True, True, False]
    found = impute(images, gone)[0]
    np.testing.assert_allclose(found, exact(images[0].double(), gone[0]), atol=1e-5)


def test_a_gray_image_is_solved_once_and_one_of_two_alike_channels_is_not_gray():
    channel = torch.rand(1, 1, 104, 131, generator=torch.Generator().manual_seed(3))
    gone = removals(104, 131)[None]
    gray = impute(channel.repeat(1, 3, 1, 1), gone)
    assert torch.equal(gray, impute(channel, gone).expand_as(gray))
    other = torch.cat([channel, channel, 1 - channel], dim=1)
    np.testing.assert_allclose(impute(other, gone)[0], exact(other[0].double(), gone[0]), atol=1e-5)
