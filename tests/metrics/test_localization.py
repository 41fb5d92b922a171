import math

import numpy as np
import pytest
import torch
from lesions import COUNT, HEIGHT, WIDTH
from lesions import binary as case
from scipy import ndimage
from sklearn.metrics import jaccard_score

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import finish
from xaibench.core.registry import bind
from xaibench.metrics.hit_rate import hit_rate
from xaibench.metrics.iou import iou
from xaibench.metrics.iou_area import iou_area
from xaibench.metrics.mass_in_mask import mass_in_mask

METRICS = {"iou": iou, "iou_area": iou_area, "hit_rate": hit_rate, "mass_in_mask": mass_in_mask}
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


def tensors(maps, masks):
    return torch.tensor([maps], dtype=torch.float32), torch.tensor([masks], dtype=torch.int8)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8, 1.0])
def test_iou_is_the_jaccard_score_of_the_thresholded_map(threshold):
    maps, masks = case()
    expected = [
        jaccard_score(mask.flatten(), (values >= np.float32(threshold) * values.max()).flatten())
        for values, mask in zip(maps.numpy(), masks.numpy(), strict=True)
    ]
    np.testing.assert_allclose(iou(maps, masks, threshold=threshold), expected, rtol=1e-6)


def test_iou_threshold_is_a_share_of_the_maximum():
    maps, masks = case()
    assert torch.equal(iou(maps, masks), iou(0.25 * maps, masks))


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.1, math.nan])
def test_iou_refuses_other_thresholds(threshold):
    with pytest.raises(XaibenchError, match=r"iou\[threshold="):
        iou(*case(), threshold=threshold)


def test_iou_area_is_the_jaccard_score_of_as_many_pixels_as_the_mask_has():
    maps, masks = case()
    expected = []
    for values, mask in zip(maps.numpy(), masks.numpy(), strict=True):
        best = np.argsort(-values, axis=None)[: mask.sum()]
        chosen = np.isin(np.arange(values.size), best)
        expected.append(jaccard_score(mask.flatten(), chosen))
    np.testing.assert_allclose(iou_area(maps, masks), expected, rtol=1e-6)


def test_iou_area_shares_the_last_places_among_ties():
    maps, masks = tensors(
        [[0.9, 0.5, 0.5, 0.5], [0.5, 0.1, 0.0, 0.0]], [[1, 1, 1, 0], [0, 0, 0, 0]]
    )
    shared = 1 + 2 * 2 / 4
    torch.testing.assert_close(iou_area(maps, masks), torch.tensor([shared / (3 + 3 - shared)]))


def test_iou_area_fills_up_with_zeros_like_any_other_tie():
    maps, masks = tensors([[0.9, 0.0, 0.0], [0.0, 0.0, 0.0]], [[1, 1, 0], [0, 0, 0]])
    shared = 1 + 1 * 1 / 5
    torch.testing.assert_close(iou_area(maps, masks), torch.tensor([shared / (4 - shared)]))


def test_mass_is_a_ratio_of_sums():
    maps, masks = case()
    expected = (maps * masks).sum(dim=(1, 2)) / maps.sum(dim=(1, 2))
    torch.testing.assert_close(mass_in_mask(maps, masks), expected)


def test_hit_rate_looks_under_the_peak():
    masks = case()[1]
    maps = torch.rand(masks.shape, generator=torch.Generator().manual_seed(0))
    expected = [
        float(mask[np.unravel_index(values.argmax(), values.shape)])
        for values, mask in zip(maps.numpy(), masks.numpy(), strict=True)
    ]
    assert hit_rate(maps, masks).tolist() == expected
    assert 0 < sum(expected) < COUNT


def test_hit_rate_is_the_expected_hit_of_tied_peaks():
    maps, masks = tensors([[1, 1, 0, 1], [0.9, 1, 0, 0]], [[1, 0, 1, 1], [1, 1, 1, 1]])
    assert hit_rate(maps, masks).tolist() == [0.75]


@pytest.mark.parametrize("tolerance", [0.0, 0.04, 0.05, 0.11, 0.3, 0.9])
def test_tolerance_counts_pixels_within_a_radius_of_the_mask(tolerance):
    mask = np.zeros((11, 19), np.int8)
    mask[1:3, 4:9] = mask[3:6, 4] = mask[8, 13] = 1
    near = ndimage.distance_transform_edt(mask == 0) <= int(tolerance * math.hypot(11, 19))
    peaks = torch.eye(mask.size).view(-1, *mask.shape)
    repeated = torch.from_numpy(mask).expand(len(peaks), -1, -1)
    hits = hit_rate(peaks, repeated, tolerance=tolerance).reshape(mask.shape)
    np.testing.assert_array_equal(hits.numpy() == 1, near)


@pytest.mark.parametrize("tolerance", [-0.1, 1.0, math.nan])
def test_hit_rate_refuses_other_tolerances(tolerance):
    with pytest.raises(XaibenchError, match=r"hit_rate\[tolerance="):
        hit_rate(*case(), tolerance=tolerance)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_constant_map_points_as_well_as_chance(level):
    masks = case()[1]
    share = masks.float().mean(dim=(1, 2))
    torch.testing.assert_close(hit_rate(torch.full(masks.shape, level), masks), share)


def test_a_map_of_zeros_predicts_nothing():
    masks = case()[1]
    zeros = torch.zeros(masks.shape)
    for metric in (iou, iou_area, mass_in_mask):
        assert metric(zeros, masks).tolist() == [0.0] * COUNT


@pytest.mark.parametrize("level", [0.3, 1.0])
def test_a_constant_map_overlaps_as_everything_does(level):
    masks = case()[1]
    share = masks.float().mean(dim=(1, 2))
    constant = torch.full(masks.shape, level)
    torch.testing.assert_close(iou(constant, masks), share)
    torch.testing.assert_close(iou_area(constant, masks), share / (2 - share))
    torch.testing.assert_close(mass_in_mask(constant, masks), share)


@every_metric
def test_grades_of_minus_one_are_outside_and_all_positive_ones_inside(metric):
    maps, masks = case()
    graded = masks.clone()
    graded[:, :, :10] *= 3
    graded[(graded == 0) & (torch.arange(WIDTH) > 25)] = -1
    assert set(graded.unique().tolist()) == {-1, 0, 1, 3}
    assert torch.equal(metric(maps, graded), metric(maps, masks))


@every_metric
def test_an_empty_mask_is_undefined_and_never_a_hit(metric):
    maps, masks = case()
    masks[1] = 0
    masks[4] = -1
    maps[4] = 0
    assert metric(maps, masks).isnan().nonzero().flatten().tolist() == [1, 4]


def test_an_empty_mask_stays_undefined_with_tolerance():
    maps, masks = case()
    masks[1] = -1
    assert hit_rate(maps, masks, tolerance=0.2).isnan().nonzero().tolist() == [[1]]


@every_metric
def test_the_oracle_is_perfect_even_where_everything_is_marked(metric):
    masks = case()[1]
    masks[3] = 1
    masks[5] *= 3
    oracle = bind("method", "oracle").plugin
    maps, _ = finish(
        oracle.function(masks), (HEIGHT, WIDTH), sign=oracle.traits.sign,
        rescale=oracle.traits.rescale,
    )  # fmt: skip
    assert metric(maps, masks).tolist() == [1.0] * COUNT


def test_iou_of_scale_lets_small_probabilities_predict_nothing():
    maps = torch.tensor([[[0.4, 0.1, 0.0], [0.2, 0.0, 0.0]], [[0.9, 0.6, 0.4], [0.0, 0.0, 0.0]]])
    masks = torch.tensor([[[1, 0, 0], [1, 0, 0]], [[1, 0, 0], [0, 0, 0]]])
    assert iou(maps, masks).tolist() == [1.0, 0.5]
    assert iou(maps, masks, of="scale").tolist() == [0.0, 0.5]
