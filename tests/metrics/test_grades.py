"""Graded and binary masks through one code path."""

import numpy as np
import pytest
import torch
from lesions import COUNT, HEIGHT, WIDTH, binary, layered, score

from xaibench.core.regions import mean_over, outside, top
from xaibench.metrics.coverage import coverage

WORTH = {
    "hit_rate_graded": lambda mask: mask.astype(float),
    "hit_rate_signed": lambda mask: (mask == mask.max()) * 1.0 - (mask == mask.min()),
}


def peaked():
    """Maps with one, two or three peaks, whose places differ from image to image."""
    random = np.random.default_rng(2)
    maps = random.uniform(0, 0.9, (COUNT, HEIGHT, WIDTH)).astype(np.float32)
    for row in range(COUNT):
        places = random.choice(HEIGHT * WIDTH, 1 + row % 3, replace=False)
        maps[row].flat[places] = 0.95
    return torch.from_numpy(maps)


@pytest.mark.parametrize("name", WORTH)
@pytest.mark.parametrize("make", [binary, layered])
def test_graded_hits_are_the_mean_of_what_lies_beneath_the_peaks(name, make):
    maps, masks = peaked(), make()[1]
    expected = [
        WORTH[name](mask)[values == values.max()].mean()
        for values, mask in zip(maps.numpy(), masks.numpy(), strict=True)
    ]
    np.testing.assert_allclose(score(name, maps, masks), expected, rtol=1e-6)
    assert len(set(expected)) > 3


def test_every_grade_has_its_worth():
    mask = torch.tensor([[3, 2, 1, 0, -1], [3, 2, 1, 0, -1], [-1, -1, -1, -1, -1]])
    maps = torch.eye(15).view(15, 3, 5)[:5]
    masks = mask.expand(5, 3, 5).to(torch.int8)
    assert score("hit_rate_graded", maps, masks).tolist() == [3, 2, 1, 0, -1]
    assert score("hit_rate_signed", maps, masks).tolist() == [1, 0, 0, 0, -1]
    assert score("hit_rate", maps, masks).tolist() == [1, 1, 1, 0, 0]


def test_binary_masks_are_layered_ones_of_two_grades():
    maps, masks = peaked(), binary()[1]
    hits = score("hit_rate", maps, masks)
    torch.testing.assert_close(score("hit_rate_graded", maps, masks), hits)
    torch.testing.assert_close(score("hit_rate_signed", maps, masks), 2 * hits - 1)


@pytest.mark.parametrize("make", [binary, layered])
def test_coverage_is_the_mean_heat_of_top_grade_and_background(make):
    maps, masks = make()
    pairs = [*zip(maps.double().numpy(), masks.numpy(), strict=True)]
    inside = [values[mask == mask.max()].mean() for values, mask in pairs]
    beyond = [values[mask == mask.min()].mean() for values, mask in pairs]
    np.testing.assert_allclose(score("coverage", maps, masks), inside, rtol=1e-5)
    np.testing.assert_allclose(score("coverage_outside", maps, masks), beyond, rtol=1e-5)


def test_coverage_of_a_grade_is_its_mean_heat_and_nan_without_it():
    maps, masks = layered()
    for grade in (-1, 0, 1, 2, 7):
        found = coverage(maps, masks, grade=grade).numpy()
        there = [(mask == grade).any() for mask in masks.numpy()]
        expected = [
            values[mask == grade].mean() if known else np.nan
            for values, mask, known in zip(maps.numpy(), masks.numpy(), there, strict=True)
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_top_and_outside_of_masks_that_lack_a_grade():
    masks = torch.tensor([
        [[0, 2, 2, 1]], [[-1, 0, 1, 1]], [[1, 1, 3, 3]], [[0, 0, -1, -1]], [[0, 0, 0, 0]],
    ])  # fmt: skip
    assert top(masks)[:, 0].sum(dim=1).tolist() == [2, 2, 2, 0, 0]
    assert outside(masks)[:, 0].sum(dim=1).tolist() == [1, 1, 0, 2, 4]
    assert mean_over(torch.ones(5, 1, 4), outside(masks)).isnan().tolist() == [
        False, False, True, False, False,
    ]  # fmt: skip
    found = score("coverage_outside", torch.ones(5, 1, 4), masks)
    assert found.isnan().tolist() == [False, False, True, True, True]
