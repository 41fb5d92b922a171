"""Dice, average precision, rank accuracy and the tuned threshold, against scikit-learn."""

import math

import numpy as np
import pytest
import torch
from lesions import COUNT, HEIGHT, TUNED, WIDTH, binary, layered, score, whole
from sklearn.metrics import average_precision_score, f1_score, jaccard_score

from xaibench.core.errors import XaibenchError
from xaibench.metrics.average_precision import average_precision
from xaibench.metrics.dice import dice


def flat(maps, masks):
    return zip(maps.flatten(1).numpy(), (masks > 0).flatten(1).numpy(), strict=True)


def tied():
    """Maps of few values, one of two levels and one constant."""
    maps, masks = binary()
    maps = (maps * 8).round() / 8
    maps[2] = (maps[2] > 0.6).float()
    maps[3] = 0.7
    return maps, masks


@pytest.mark.parametrize("make", [binary, tied, layered])
def test_average_precision_is_that_of_scikit_learn(make):
    maps, masks = make()
    expected = [average_precision_score(truth, values) for values, truth in flat(maps, masks)]
    np.testing.assert_allclose(average_precision(maps, masks), expected, rtol=1e-6)


def test_average_precision_keeps_the_maps_precision():
    maps, masks = binary()
    maps = maps.double() * 1e-9 + 0.5  # all alike in float32
    expected = [average_precision_score(truth, values) for values, truth in flat(maps, masks)]
    assert average_precision(maps, masks).dtype is torch.float64
    np.testing.assert_allclose(average_precision(maps, masks), expected, rtol=1e-12)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_constant_map_has_the_precision_of_chance(level):
    masks = binary()[1]
    constant = torch.full((COUNT, HEIGHT, WIDTH), level)
    torch.testing.assert_close(average_precision(constant, masks), masks.float().mean(dim=(1, 2)))


@pytest.mark.parametrize("make", [binary, tied, layered])
@pytest.mark.parametrize("threshold", [0.25, 0.5, 1.0])
def test_dice_is_the_f1_score_of_the_thresholded_map(make, threshold):
    maps, masks = make()
    expected = [
        f1_score(truth, values >= np.float32(threshold) * values.max())
        for values, truth in flat(maps, masks)
    ]
    np.testing.assert_allclose(dice(maps, masks, threshold=threshold), expected, rtol=1e-6)


def test_dice_of_scale_lets_small_probabilities_predict_nothing():
    maps = torch.tensor([[[0.4, 0.1, 0.0], [0.2, 0.0, 0.0]], [[0.9, 0.6, 0.4], [0.0, 0.0, 0.0]]])
    masks = torch.tensor([[[1, 0, 0], [1, 0, 0]], [[1, 0, 0], [0, 0, 0]]])
    assert dice(maps, masks).tolist() == [1.0, pytest.approx(2 / 3)]
    assert dice(maps, masks, of="scale").tolist() == [0.0, pytest.approx(2 / 3)]


@pytest.mark.parametrize("name", ["dice", "false_alarm_mass"])
@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.1, math.nan])
def test_thresholds_lie_above_zero_up_to_one(name, threshold):
    with pytest.raises(XaibenchError, match=rf"^{name}\[threshold="):
        score(f"{name}[threshold={threshold}]", *binary())


@pytest.mark.parametrize("make", [binary, tied, layered])
def test_iou_tuned_is_iou_at_the_threshold_that_was_tuned(make):
    maps, masks = make()
    expected = [
        jaccard_score(truth, values >= np.float32(TUNED) * values.max())
        for values, truth in flat(maps, masks)
    ]
    np.testing.assert_allclose(score("iou_tuned", maps, masks), expected, rtol=1e-6)
    assert not score("iou_tuned", torch.zeros_like(maps), masks).any()


def test_rank_accuracy_is_the_precision_of_as_many_pixels_as_the_mask_has():
    maps, masks = binary()
    expected = []
    for values, truth in flat(maps, masks):
        best = np.argsort(-values, kind="stable")[: truth.sum()]
        expected.append(truth[best].mean())
    np.testing.assert_allclose(score("rank_accuracy", maps, masks), expected, rtol=1e-6)


def test_rank_accuracy_of_ties_is_the_mean_over_all_ways_to_break_them():
    maps, masks = tied()
    random, inside = np.random.default_rng(0), (masks > 0).flatten(1).numpy()
    tries = []
    for _ in range(400):
        order = random.permutation(inside.shape[1])
        shuffled = np.argsort(-maps.flatten(1).numpy()[:, order], axis=1, kind="stable")
        tries.append([row[order][places][: row.sum()].mean()
                      for row, places in zip(inside, shuffled, strict=True)])  # fmt: skip
    np.testing.assert_allclose(
        score("rank_accuracy", maps, masks), np.mean(tries, axis=0), atol=0.01
    )


def test_average_precision_per_image_and_over_pooled_pixels_are_two_numbers():
    maps, masks = binary()
    maps[:6] *= 0.4  # a scale of their own
    assert whole("average_precision", maps, masks) > whole("pxap", maps, masks) + 0.02
