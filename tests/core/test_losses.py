from typing import get_args

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from xaibench.core.networks.losses import LOSSES
from xaibench.core.recipe import LocalizationLoss

COUNT, HEIGHT, WIDTH = 3, 17, 29


def case():
    random = np.random.default_rng(0)
    saliency = random.uniform(0.01, 0.99, (COUNT, HEIGHT, WIDTH)).astype(np.float32)
    masks = np.zeros((COUNT, HEIGHT, WIDTH), np.float32)
    masks[0, 2:9, 4:20] = masks[1, 10:, :5] = 1
    return saliency, masks


def numpy_ssim(s, m):
    _, similarity = structural_similarity(
        s, m, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, full=True
    )
    return 1 - similarity[5:-5, 5:-5].mean()


def numpy_focal(s, m):
    wrong = np.where(m > 0, 1 - s, s)
    return -(np.where(m > 0, 0.25, 0.75) * wrong**2 * np.log(1 - wrong)).mean()


def numpy_tversky(s, m):
    hits, extra, missed = (s * m).sum(), (s * (1 - m)).sum(), ((1 - s) * m).sum()
    return 1 - (hits + 1) / (hits + 0.3 * extra + 0.7 * missed + 1)


def numpy_dice(s, m):
    return 1 - (2 * (s * m).sum() + 1) / (s.sum() + m.sum() + 1)


def numpy_bce(s, m):
    return -(m * np.log(s) + (1 - m) * np.log(1 - s)).mean()


FORMULAS = {
    "l1": lambda s, m: np.abs(s - m).mean(),
    "l2": lambda s, m: ((s - m) ** 2).mean(),
    "ssim": numpy_ssim,
    "bce": numpy_bce,
    "dice": numpy_dice,
    "bce_dice": lambda s, m: numpy_bce(s, m) + numpy_dice(s, m),
    "focal": numpy_focal,
    "tversky": numpy_tversky,
    "boundary": lambda s, m: numpy_dice(s, m) + (distance(m) / np.hypot(*m.shape) * (s - m)).mean(),
}


def distance(mask):
    """Return how far each pixel is from the nearest one of the other kind, less half a pixel."""
    rows, columns = np.indices(mask.shape)
    found = np.zeros(mask.shape)
    if not 0 < mask.sum() < mask.size:
        return found
    for row, column in np.ndindex(mask.shape):
        other = mask != mask[row, column]
        nearest = np.hypot(rows[other] - row, columns[other] - column).min()
        found[row, column] = (0.5 - nearest) if mask[row, column] else (nearest - 0.5)
    return found


def compute(name, saliency, masks):
    return LOSSES[name](torch.from_numpy(saliency), torch.from_numpy(masks))


@pytest.mark.parametrize("name", LOSSES)
def test_loss_of_each_image_equals_its_formula(name):
    saliency, masks = case()
    values = compute(name, saliency, masks)
    expected = [
        FORMULAS[name](s, m) for s, m in zip(np.float64(saliency), np.float64(masks), strict=True)
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_map_costs_nothing_and_its_opposite_the_most(name):
    saliency, masks = (array[:2] for array in case())
    np.testing.assert_allclose(compute(name, masks, masks), 0, atol=1e-6)
    assert (compute(name, 1 - masks, masks) > compute(name, saliency, masks)).all()


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_differentiable_where_the_map_is_saturated(name):
    _, masks = case()
    saliency = torch.from_numpy(1 - masks).requires_grad_()
    LOSSES[name](saliency, torch.from_numpy(masks)).sum().backward()
    assert saliency.grad.isfinite().all()
    assert saliency.grad.any()


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_down_the_gradient_lowers_the_loss(name):
    saliency, masks = (array[:2] for array in case())
    leaf, truth = torch.from_numpy(saliency).requires_grad_(), torch.from_numpy(masks)
    before = LOSSES[name](leaf, truth)
    (gradient,) = torch.autograd.grad(before.sum(), leaf)
    step = 1e-2 * gradient / gradient.flatten(1).norm(dim=1)[:, None, None]
    assert (LOSSES[name](leaf - step, truth) < before).all()


@pytest.mark.parametrize("name", LOSSES)
def test_pixels_that_do_not_count_change_nothing(name):
    saliency, masks = map(torch.from_numpy, case())
    counted = torch.ones_like(masks, dtype=torch.bool)
    torch.testing.assert_close(
        LOSSES[name](saliency, masks, counted), LOSSES[name](saliency, masks)
    )
    counted[:, 3:9, 12:25] = False
    saliency.requires_grad_()
    before = LOSSES[name](saliency, masks, counted)
    torch.testing.assert_close(LOSSES[name](saliency, masks.where(counted, 1), counted), before)
    before.sum().backward()
    assert (saliency.grad[~counted] == 0).all()
    assert (saliency.grad[counted] != 0).any()


@pytest.mark.parametrize("name", ["l1", "l2", "bce", "dice"])
def test_loss_of_what_counts_equals_that_of_a_smaller_image(name):
    saliency, masks = map(torch.from_numpy, case())
    counted = torch.zeros_like(masks, dtype=torch.bool)
    counted[:, 2:14, 5:22] = True
    smaller = LOSSES[name](saliency[:, 2:14, 5:22], masks[:, 2:14, 5:22])
    torch.testing.assert_close(LOSSES[name](saliency, masks, counted), smaller)


def test_nothing_that_counts_costs_nothing():
    saliency, masks = map(torch.from_numpy, case())
    for name in LOSSES:
        assert (LOSSES[name](saliency, masks, torch.zeros_like(masks, dtype=torch.bool)) == 0).all()


def test_every_loss_can_be_asked_for():
    assert get_args(LocalizationLoss) == tuple(LOSSES)
