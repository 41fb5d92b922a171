"""Planted networks use what they say; metrics are ranked by it, whatever the phantoms' seed."""

import numpy as np
import pytest
import torch

from xaibench.core.registry import bind, plugins
from xaibench.diagnostics.court import PASS, PLACE, UNSURE, _try, court
from xaibench.diagnostics.planted import RULES, Planted, draw_phantoms
from xaibench.report.facts.court import in_court

CHEAP = ("mass_in_mask", "rank_accuracy")


@pytest.fixture(scope="module")
def phantoms():
    return draw_phantoms(3, seed=4)


@pytest.mark.parametrize("rule", RULES)
def test_a_planted_network_hangs_on_what_it_uses_and_on_nothing_else(phantoms, rule):
    network = Planted(rule, phantoms)
    told = network(phantoms.images)
    assert (told[:, 1] > 0).all()
    wide = torch.nn.functional.max_pool2d(phantoms.regions.float(), 3, 1, 1) > 0
    for structure in range(3):
        hidden = torch.where(wide[:, structure, None], 0.5, phantoms.images)
        moved = (network(hidden) - told).abs().amax(dim=1)
        if structure in RULES[rule]:
            assert (moved > 1).all()
        else:
            assert (moved < 1e-4).all()


def test_structures_never_touch(phantoms):
    assert phantoms.regions.sum(dim=1).max() == 1
    assert (phantoms.regions.sum(dim=(2, 3)) > 20).all()


def test_metrics_of_place_follow_the_annotation_on_any_seed():
    found = list(court([bind("metric", name) for name in CHEAP], images=6, seeds=(0, 7)))
    assert [line["metric"] for line in found] == list(CHEAP)
    for line in found:
        assert line["verdict"] == PLACE
        assert line["same_verdict"] >= 0.95
        assert line["lesion"] > 0.8
        assert line["shortcut"] < 0


def test_the_packaged_verdicts_are_of_metrics_that_there_are():
    known = [name for name in plugins("metric") if in_court(name)]
    assert len(known) > 25
    assert in_court("mass_in_mask").startswith(PLACE)
    assert in_court("iou[threshold=0.3]") == ""


def test_a_verdict_that_other_phantoms_would_turn_is_none():
    random = np.random.default_rng(0)
    shares = [0.0, 0.5, 1.0]
    clear = np.array(shares)[:, None] + random.normal(0, 0.1, (3, 12))
    passed = dict.fromkeys(RULES, clear)
    assert _try([passed], shares, [0]) == {
        **dict.fromkeys(RULES, 1.0),
        "verdict": PASS,
        "same_verdict": 1.0,
    }
    # One phantom in twelve has nearly all the weight: which draws have it decides.
    heavy = clear.copy()
    heavy[0, 5] = 40
    found = _try([dict.fromkeys(RULES, heavy)], shares, [0])
    assert found["verdict"] == UNSURE
    assert found["same_verdict"] == pytest.approx(1 - (11 / 12) ** 12, abs=0.05)
    assert found["lesion"] == pytest.approx(-1 / 3, abs=0.01)


def test_seeds_that_come_to_two_verdicts_decide_nothing():
    shares = [0.0, 0.5, 1.0]
    right = np.array(shares)[:, None].repeat(4, axis=1)
    seeds = [dict.fromkeys(RULES, right), dict.fromkeys(RULES, -right), dict.fromkeys(RULES, right)]
    found = _try(seeds, shares, [0, 1, 2])
    assert (found["verdict"], found["same_verdict"]) == (UNSURE, 0.667)
    assert found["both"] == pytest.approx(1 / 3, abs=0.01)
