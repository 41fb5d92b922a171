"""Pixels that no metric counts, and lesions that are lost in resizing."""

import numpy as np
import pytest
import torch

from xaibench.core.data import IGNORED, Picture
from xaibench.core.loading import resize_picture, share_marked
from xaibench.core.maps import OK
from xaibench.core.registry import bind, plugins
from xaibench.explaining.batch import ImageBatch, Maps
from xaibench.explaining.evidence import evidence_of
from xaibench.explaining.ignoring import ask_metric
from xaibench.explaining.score import LOST_MASK, score_batch
from xaibench.explaining.tuned import Tuned

PIXELWISE = sorted(n for n, plugin in plugins("metric").items() if plugin.traits.pixelwise)
HEIGHT, WIDTH, LEFT = 7, 12, 9


def laid_out(maps, masks, lost=()):
    target = {"label": torch.zeros(len(maps), dtype=torch.long)}
    names = [str(row) for row in range(len(maps))]
    batch = ImageBatch(names, maps[:, None], masks, [True] * len(maps), target, None, lost)
    batch.finds = torch.ones(len(maps), 1, dtype=torch.bool)
    found = evidence_of({"label": Maps(maps, [OK] * len(maps))}, batch, tuned=Tuned(0.4))
    return found, batch


@pytest.fixture
def made():
    maps = torch.rand(2, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(3))
    masks = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.int8)
    masks[0, 1:4, 2:7] = masks[1, 3:6, 5:9] = 1
    return maps, masks


@pytest.mark.parametrize("name", PIXELWISE)
def test_pixels_that_are_ignored_are_as_if_they_were_cut_off(name, made):
    maps, masks = made
    whole = masks.clone()
    whole[:, :, LEFT:] = IGNORED
    metric = bind("metric", name)
    if name == "false_alarm_mass":
        masks, whole = torch.zeros_like(masks), whole.clamp(max=0)
    cut = laid_out(maps[:, :, :LEFT].contiguous(), masks[:, :, :LEFT].contiguous())[0]["label"]
    found = ask_metric(metric, laid_out(maps, whole)[0]["label"])
    torch.testing.assert_close(found, metric(cut), equal_nan=True)


@pytest.mark.parametrize("name", PIXELWISE)
def test_what_is_declared_pixelwise_does_not_ask_where_pixels_lie(name, made):
    order = torch.randperm(HEIGHT * WIDTH, generator=torch.Generator().manual_seed(1))
    shuffled = [each.flatten(1)[:, order].view_as(each) for each in made]
    metric = bind("metric", name)
    first, second = (metric(laid_out(*each)[0]["label"]) for each in (made, shuffled))
    torch.testing.assert_close(first, second, equal_nan=True)


def test_a_metric_of_places_sees_no_heat_where_nothing_counts(made):
    maps, masks = made
    maps *= 0.5
    maps[:, 0, -1] = 1.0
    maps[:, 4, 6] = 0.9
    assert ask_metric(bind("metric", "hit_rate"), laid_out(*made)[0]["label"]).sum() == 0
    masks[:, 0, -1] = IGNORED
    assert ask_metric(bind("metric", "hit_rate"), laid_out(*made)[0]["label"])[1] == 1


def test_open_pixels_count_in_no_average_of_masks():
    first = np.array([[1, IGNORED], [0, IGNORED]], np.int8)
    second = np.array([[0, 2], [1, IGNORED]], np.int8)
    assert share_marked([first, None, second], 2).tolist() == [[0.5, 1], [0.5, 0]]


def test_an_image_of_which_nothing_counts_is_undefined(made):
    maps, masks = made
    masks[0] = IGNORED
    found = ask_metric(bind("metric", "false_alarm_mass"), laid_out(maps, masks)[0]["label"])
    assert found.isnan().all()


def test_a_lesion_that_is_lost_is_told_and_kept_by_area():
    mask = np.zeros((90, 140), np.int8)
    mask[33:36, 71:74] = 3
    picture = Picture(np.zeros((90, 140, 3), np.uint8), mask)
    near, area = (resize_picture(picture, 8, how) for how in ("nearest", "area"))
    assert near.lost
    assert not near.mask.any()
    assert not area.lost
    # A pixel is 11.25 rows high: row 3 begins at 33.75 and has three quarters of the lesion.
    assert np.argwhere(area.mask).tolist() == [[3, 4]]
    assert area.mask.max() == 3


def test_by_area_a_grade_needs_half_of_a_pixel():
    mask = np.zeros((8, 8), np.int8)
    mask[:, :5], mask[:, 0] = 1, -1
    picture = Picture(np.zeros((8, 8, 3), np.uint8), mask)
    assert resize_picture(picture, 2, "area").mask.tolist() == [[1, 0], [1, 0]]
    mask[:, 6:] = IGNORED
    assert resize_picture(picture, 4, "area").mask[0].tolist() == [1, 1, 1, IGNORED]


def test_a_lost_lesion_is_undefined_for_every_metric(made):
    maps, masks = made
    masks[0] = 0
    evidence, _ = laid_out(maps, masks, lost=[True, False])
    metrics = [bind("metric", name) for name in ("false_alarm_mass", "iou", "pxap")]
    rows = score_batch(metrics, evidence, lambda _: "label")
    lost = [row for row in rows if row.sample == "0"]
    assert {row.status for row in lost} == {LOST_MASK}
    assert all(np.isnan(row.value) for row in lost)
    assert not any(row.status == LOST_MASK for row in rows if row.sample == "1")
