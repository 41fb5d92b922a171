"""What has gone wrong in other tools: empty masks, ties, maps on their side, maps of nothing."""

import pytest
import torch
from lesions import COUNT, HEIGHT, LOCALIZATION, WIDTH, binary, finished, layered, score, whole

from xaibench.core.maps import CONSTANT, NON_FINITE
from xaibench.core.registry import bind, plugins

every = pytest.mark.parametrize("name", LOCALIZATION)
# What these judge is an order or a peak, which a map of zeros leaves to chance.
BY_CHANCE = {"average_precision", "pxap", "hit_rate", "hit_rate_graded", "hit_rate_signed"}


@every
def test_an_empty_mask_is_undefined_and_never_a_hit(name):
    maps, masks = binary()
    masks[1] = 0
    masks[4] = -1
    masks[6, :11], masks[6, 11:] = 0, -1
    maps[4] = 0
    assert score(name, maps, masks).isnan().nonzero().flatten().tolist() == [1, 4, 6]
    kept = [row for row in range(COUNT) if row not in (1, 4, 6)]
    assert whole(name, maps, masks) == pytest.approx(whole(name, maps[kept], masks[kept]), abs=1e-6)


@every
def test_a_transposed_map_scores_otherwise(name):
    maps = torch.zeros(1, 30, 30)
    maps[0, 3:9, 12:27] = torch.linspace(0.5, 1, 15)
    masks = (maps > 0).to(torch.int8)
    masks[0, 4:6, 13:20] *= 3 if name == "jaccard_by_grade" else 1
    lying = maps.mT.contiguous()
    assert score(name, maps, masks) != pytest.approx(score(name, lying, masks).item(), abs=0.05)


@every
@pytest.mark.parametrize("raw", ["constant", "nan", "negative"])
def test_maps_of_nothing_score_as_chance_or_as_an_empty_prediction(name, raw):
    _, masks = layered()
    levels = {"constant": 0.4, "nan": float("nan"), "negative": -0.3}
    broken = torch.full((COUNT, 5, 9), 0.2 if raw == "nan" else levels[raw])
    broken[:, 1, 2] = levels[raw]
    maps, statuses = finished(broken)
    assert set(statuses) == {NON_FINITE if raw == "nan" else CONSTANT}
    found = score(name, maps, masks)
    by_itself = {"roc_auc": 0.5, "auprc_lift": 1.0, "hausdorff95": 1.0}
    if name not in BY_CHANCE:
        torch.testing.assert_close(found, torch.full((COUNT,), by_itself.get(name, 0.0)))
        return
    grades, inside = masks.float(), (masks > 0).float()
    chance = {
        "hit_rate_graded": grades,
        "hit_rate_signed": (masks == 3).float() - (masks == -1).float(),
    }.get(name, inside)
    torch.testing.assert_close(found, chance.mean(dim=(1, 2)))


@every
def test_fake_cam_beats_nobody(name):
    """0.999 everywhere: as good as chance where a place is asked for, and hot outside, too."""
    _, masks = layered()
    fake = torch.full((COUNT, HEIGHT, WIDTH), 0.999)
    truth, _ = finished((masks == 3).float(), rescale="none")
    ones = torch.ones_like(fake)
    assert score(name, ones, masks).tolist() == pytest.approx(
        score(name, fake, masks).tolist(), abs=2e-3
    )
    if name == "coverage":
        assert (score(name, fake, masks) > 0.99).all()
        assert (score("coverage_outside", fake, masks) > 0.99).all()
        return
    sign = 1 if plugins("metric")[name].traits.higher_is_better else -1
    compared = (masks == 3).to(torch.int8)
    better = sign * (score(name, truth, compared) - score(name, fake, compared))
    assert (better > 0.2).all()


@pytest.mark.parametrize("name", ["iou_area", "rank_accuracy"])
def test_of_a_map_of_94_percent_zeros_the_top_takes_just_as_many_pixels(name):
    heights, masks = binary()
    masks[0, 5:, 12:20] = 1
    inside, size = masks > 0, (masks > 0).sum(dim=(1, 2))
    chosen = torch.rand(masks.shape, generator=torch.Generator().manual_seed(3)) < 0.06
    maps = chosen * (0.1 + 0.9 * heights)
    assert (chosen.sum(dim=(1, 2)) < size).all()
    level = ~chosen
    room = size - chosen.sum(dim=(1, 2))
    share = (level & inside).sum(dim=(1, 2)) / level.sum(dim=(1, 2))
    shared = (chosen & inside).sum(dim=(1, 2)) + room * share
    expected = shared / (2 * size - shared if name == "iou_area" else size)
    torch.testing.assert_close(score(name, maps, masks), expected)


@every
def test_the_oracle_is_best_even_where_everything_is_marked(name):
    _, masks = binary()
    masks[3] = 1
    masks[5] *= 1 if name == "jaccard_by_grade" else 3
    oracle = bind("method", "oracle").plugin
    maps, _ = finished(oracle.function(masks), oracle.traits.sign, oracle.traits.rescale)
    sizes = (masks > 0).sum(dim=(1, 2))
    expected = torch.full((COUNT,), float(name not in ("coverage_outside", "hausdorff95")))
    if name == "hit_rate_graded":
        expected[5] = 3
    if name in ("coverage_outside", "roc_auc"):
        expected[3] = torch.nan
    if name == "auprc_lift":
        expected = HEIGHT * WIDTH / sizes
    if name == "top_k":  # no mask of fewer pixels holds all 100
        expected = (sizes / 100).clamp(max=1)
    torch.testing.assert_close(score(name, maps, masks), expected, equal_nan=True)


def test_upper_bounds_are_marked_and_never_ranked():
    metrics = plugins("metric")
    oracles = {name for name, each in metrics.items() if each.traits.threshold.startswith("oracle")}
    assert oracles == {"iou_best", "max_box_acc"}
    assert oracles == {name for name, each in metrics.items() if not each.traits.ranked}


def test_pooled_estimands_are_told_apart_from_those_per_image():
    assert {name for name, each in plugins("metric").items() if each.traits.pool} == {
        "iou_best", "max_box_acc", "pxap",
    }  # fmt: skip


def test_false_alarms_are_counted_where_the_mask_is_empty_and_nowhere_else():
    maps, masks = binary()
    maps[2], maps[7], maps[8] = 0, 0.499, 0.5
    masks[[1, 2, 7, 8]] = 0
    masks[8, :4] = -1
    found = score("false_alarm_mass", maps, masks)
    assert found.isnan().nonzero().flatten().tolist() == [0, 3, 4, 5, 6, 9, 10, 11]
    share = (maps[1] >= 0.5).float().mean().item()
    assert found[[1, 2, 7, 8]].tolist() == [pytest.approx(share), 0, 0, 1]
    assert score("false_alarm_mass[threshold=0.49]", maps, masks)[7] == 1


def test_a_stretched_map_always_raises_a_false_alarm_and_a_probability_need_not():
    maps, masks = 0.4 * binary()[0], torch.zeros(COUNT, HEIGHT, WIDTH, dtype=torch.int8)
    assert not score("false_alarm_mass", maps, masks).any()
    stretched, _ = finished(maps)
    assert (score("false_alarm_mass", stretched, masks) > 0).all()
