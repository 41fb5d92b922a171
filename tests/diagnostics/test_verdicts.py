"""The pure part of each diagnostic, on maps and values made by hand."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from xaibench.core.data import Sample
from xaibench.core.resemblance import chance, resemblance
from xaibench.diagnostics import (
    baseline_sensitivity,
    classifier_dependence,
    randomization,
    shortcut,
)
from xaibench.explaining.choose_images import choose_images

GROUPS = [str(row) for row in range(12)]


def blobs(seed):
    noise = np.random.default_rng(seed).random((12, 18, 26))
    smooth = gaussian_filter(noise, (0, 3, 3))
    lowest, highest = (f(smooth, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    return (smooth - lowest) / (highest - lowest)


def randomized(ours, theirs):
    return randomization.verdict_of(resemblance(ours, theirs), chance(ours), GROUPS)


def test_maps_that_stay_fail_and_maps_that_go_pass():
    ours = blobs(0)
    assert randomized(ours, ours)[0] == "fail"
    assert randomized(ours, 0.9 * ours + 0.1 * blobs(1))[0] == "fail"
    verdict, why, figures = randomized(ours, blobs(1))
    assert verdict == "pass"
    assert abs(figures["rank_correlation"]) < 0.2
    assert figures["rank_correlation_limit"] == pytest.approx(0.5, abs=0.1)
    assert f"rank_correlation {figures['rank_correlation']:.2f}" in why


def test_a_turned_map_is_another_one():
    ours = blobs(0)
    assert randomized(ours, 1 - ours)[0] == "pass"


def test_maps_alike_for_all_images_fail_too():
    center = np.repeat(blobs(0)[:1], 12, axis=0)
    assert randomized(center, center)[0] == "fail"


def test_what_all_maps_share_is_chance():
    shared = blobs(0)[:1]
    ours, theirs = 0.8 * shared + 0.2 * blobs(1), 0.8 * shared + 0.2 * blobs(2)
    verdict, _, figures = randomized(ours, theirs)
    assert figures["rank_correlation"] > 0.5
    assert figures["rank_correlation"] == pytest.approx(figures["rank_correlation_chance"], abs=0.1)
    assert verdict == "pass"


def test_half_kept_and_half_lost_is_undecided():
    ours, theirs = blobs(0), blobs(1)
    theirs[::2] = ours[::2]
    assert randomized(ours, theirs)[0] == "undecided"


def test_maps_that_become_constant_have_gone():
    verdict, why, figures = randomized(blobs(0), np.zeros((12, 18, 26)))
    assert verdict == "pass"
    assert "rank_correlation" not in figures
    assert why.startswith("ssim")


def test_the_limit_lies_half_way_from_chance_to_identity():
    limits = randomization.limit_of(np.array([-0.3, 0.0, 0.4, 1.0]))
    np.testing.assert_allclose(limits, [0.5, 0.5, 0.7, 0.975])


def test_stages_go_from_the_last_layer_to_the_first():
    found = dict(randomization.stages(list("abcdefgh")))
    assert [len(names) for names in found.values()] == [1, 2, 4, 6, 8]
    assert found["last 2 of 8 layers random"] == ["g", "h"]
    assert [len(names) for _, names in randomization.stages(["a"])] == [1]


def test_dependence_needs_a_change_in_rank_or_structure():
    ours = blobs(0)
    assert classifier_dependence.verdict_of(ours, ours)[0] == "fail"
    assert classifier_dependence.verdict_of(ours, blobs(1))[0] == "pass"
    assert classifier_dependence.verdict_of(ours, ours**3)[0] == "pass"  # the same ranks
    assert classifier_dependence.verdict_of(ours, np.zeros_like(ours))[0] == "pass"


def test_the_other_class_is_the_next_likely():
    logits = torch.tensor([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [-5.0, -6.0, -4.0]])
    found = classifier_dependence.next_classes(logits, torch.tensor([0, 1, 2]))
    assert found.tolist() == [2, 0, 0]


def ranked(*means, spread=0.0):
    noise = np.random.default_rng(0).normal(0, spread, (12, len(means)))
    return np.array(means) + noise


def test_agreement_of_a_case_worked_by_hand():
    # Of the pairs ab, ac, bc only bc changes places: tau = (2 - 1) / 3.
    found = baseline_sensitivity.agreement(ranked(3, 2, 1), ranked(3, 1, 2), GROUPS)
    assert found.tau == pytest.approx(1 / 3)
    assert (found.swaps, found.clear_swaps, found.winners) == (1, 1, (0, 0))
    assert not found.winners_swap
    assert baseline_sensitivity.verdict_of([found])[0] == "fail"


def test_the_baseline_decides_only_beyond_chance():
    def verdict(ours, theirs):
        found = baseline_sensitivity.agreement(ours, theirs, GROUPS)
        return baseline_sensitivity.verdict_of([found])[0]

    assert verdict(ranked(3, 2, 1), ranked(9, 5, 4)) == "pass"
    assert verdict(ranked(3, 2, 1), ranked(2, 3, 1)) == "fail"
    noise = [np.random.default_rng(seed).normal(0, 1, (12, 2)) for seed in (0, 1)]
    noise[0] -= noise[0].mean(axis=0) - [0.02, 0.01]
    noise[1] -= noise[1].mean(axis=0) - [0.01, 0.02]
    assert verdict(*noise) == "undecided"


def test_methods_that_nothing_tells_apart_are_undecided():
    found = baseline_sensitivity.agreement(ranked(1, 1), ranked(1, 2), GROUPS)
    assert np.isnan(found.tau)
    assert baseline_sensitivity.verdict_of([found])[0] == "undecided"


def test_a_tie_for_the_first_place_is_no_other_winner():
    found = baseline_sensitivity.agreement(ranked(1, 3, 3), ranked(1, 2, 3), GROUPS)
    assert found.winners == (2, 2)
    found = baseline_sensitivity.agreement(ranked(1, 3, 2), ranked(3, 3, 1), GROUPS)
    assert found.winners == (1, 1)


def test_one_bad_comparison_spoils_the_verdict():
    good = baseline_sensitivity.agreement(ranked(3, 2, 1), ranked(3, 2, 1), GROUPS)
    bad = baseline_sensitivity.agreement(ranked(3, 2, 1), ranked(2, 3, 1), GROUPS)
    verdict, why = baseline_sensitivity.verdict_of([good, bad])
    assert verdict == "fail"
    assert "tau 0.33 to 1.00, the winner stays in 1 of 2" in why


def test_pointing_counts_beyond_the_twin_alone():
    always, never = np.ones(12), np.zeros(12)
    sometimes = np.array([1.0, 0, 0, 0] * 3)
    assert shortcut.verdict_of(always, never, GROUPS)[0] == "pass"
    assert shortcut.verdict_of(always, always, GROUPS) == ("fail", (0.0, 0.0))
    assert shortcut.verdict_of(never, always, GROUPS)[0] == "fail"
    assert shortcut.verdict_of(sometimes, never, GROUPS)[0] == "undecided"


def test_use_of_the_marker():
    assert shortcut.MarkerUse(1.0, 0.1, 0.5).relies
    assert not shortcut.MarkerUse(0.9, 0.8, 0.9).relies
    assert not shortcut.MarkerUse(0.6, 0.1, 0.5).relies
    assert shortcut.MarkerUse(0.9, 0.8, 0.9).ignores
    assert not shortcut.MarkerUse(0.4, 0.7, 0.5).ignores


def test_images_are_drawn_from_all_classes_in_turn_and_stay_in_order():
    samples = [Sample(f"{label}{row:02}", None, label) for label, count in ((0, 30), (1, 3), (2, 9))
               for row in range(count)]  # fmt: skip
    chosen = choose_images(samples, 12)
    assert [sum(s.label == label for s in chosen) for label in range(3)] == [5, 3, 4]
    assert chosen == [sample for sample in samples if sample in chosen]
    assert chosen == choose_images(samples, 12)
    assert [s.id for s in chosen[:5]] != [s.id for s in samples[:5]]
    assert choose_images(samples, 99) == samples
