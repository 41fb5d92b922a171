"""Estimands of a whole set of images."""

import numpy as np
import pytest
import torch
from lesions import binary, layered, score, whole
from sklearn.metrics import average_precision_score

from xaibench.core.errors import XaibenchError
from xaibench.core.pooling import linearize
from xaibench.core.registry import bind
from xaibench.metrics.iou import iou
from xaibench.metrics.pxap import pxap


def pixel_precision(maps, masks, bins):
    """Area under precision over recall of all images' pixels, threshold by threshold, downwards."""
    values, truth = maps.double().numpy().ravel(), (masks > 0).numpy().ravel()
    area, recall_before = 0.0, 0.0
    for threshold in [1.0, *np.arange(0, 1, 1 / bins)[::-1]]:
        marked = values >= threshold
        if marked.any():
            recall = truth[marked].sum() / truth.sum()
            area += truth[marked].mean() * (recall - recall_before)
            recall_before = recall
    return area


@pytest.mark.parametrize("make", [binary, layered])
@pytest.mark.parametrize("bins", [1000, 10, 1])
def test_pxap_is_the_area_under_the_pooled_curve(make, bins):
    maps, masks = make()
    maps[3], maps[4], maps[5] = 0.0, 1.0, (maps[5] * 10).round() / 10
    assert whole(f"pxap[bins={bins}]", maps, masks) == pytest.approx(
        pixel_precision(maps, masks, bins), rel=1e-6
    )


def test_pxap_of_maps_that_stand_on_its_steps_is_scikit_learns_average_precision():
    maps, masks = binary()
    maps[:4] *= 0.6
    maps = ((maps * 64).floor() / 64).clamp(0, 1)
    expected = average_precision_score((masks > 0).flatten(), maps.flatten())
    assert whole("pxap[bins=64]", maps, masks) == pytest.approx(expected, rel=1e-6)


def test_pxap_compares_with_its_thresholds_in_double_precision():
    """The float32 nearest to 0.1 lies above the double 0.1, and that to 0.7 below the double."""
    maps, masks = torch.tensor([[[0.1, 0.7]]]), torch.tensor([[[0, 1]]])
    counts = pxap(maps, masks)[0].view(2, 1001)
    assert counts[1].nonzero().flatten().tolist() == [100, 699]
    assert counts[0].nonzero().flatten().tolist() == [699]


def test_pxap_needs_a_bin():
    with pytest.raises(XaibenchError, match=r"^pxap\[bins=0\]"):
        score("pxap[bins=0]", *binary())


@pytest.mark.parametrize("make", [binary, layered])
def test_iou_best_is_the_highest_mean_iou_of_all_thresholds(make):
    maps, masks = make()
    means = [iou(maps, masks, threshold=step / 100).mean() for step in range(1, 101)]
    assert whole("iou_best", maps, masks) == pytest.approx(float(max(means)), abs=1e-6)
    assert make is layered or 0 < int(np.argmax(means)) < 99
    assert whole("iou_best", maps, masks) >= whole("iou_tuned", maps, masks)


def test_one_threshold_serves_all_images():
    maps, masks = binary()
    maps[:6] = (0.3 * maps[:6] + 0.7 * maps[:6].amax(dim=(1, 2), keepdim=True)).clamp(0, 1)
    assert whole("iou_best", maps, masks) < float(score("iou_best", maps, masks).mean()) - 0.02


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iou_best", "pxap", "max_box_acc"])
def test_the_mean_of_the_images_parts_is_the_pooled_value(name):
    maps, masks = binary()
    masks[[2, 9]] = 0
    metric = bind("metric", name).plugin
    parts = linearize(metric.function(maps, masks), metric.traits.pool)
    assert parts.isnan().nonzero().flatten().tolist() == [2, 9]
    assert float(parts.nanmean()) == pytest.approx(whole(name, maps, masks), abs=1e-9)
    assert len(set(parts[~parts.isnan()].tolist())) > 3
