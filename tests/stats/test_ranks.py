import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau
from simulated import at_least

from xaibench.stats.paired import holm
from xaibench.stats.pairwise import paired_tests
from xaibench.stats.ranks import kendall_tau, rank_intervals, tie_groups

NAN = float("nan")


def letters_of(groups):
    """A letter is one of a to z, with a number behind it in later laps."""
    found = []
    for text in groups:
        starts = [index for index, sign in enumerate(text) if sign.isalpha()]
        found.append({text[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)})
    return found


def different(count, *pairs):
    found = np.zeros((count, count), bool)
    for one, other in pairs:
        found[one, other] = True
    return found


@pytest.mark.parametrize(
    ("scores", "pairs", "expected"),
    [
        ([3, 2, 1], [], ["a", "a", "a"]),
        ([3, 2, 1], [(0, 1), (0, 2), (1, 2)], ["a", "b", "c"]),
        ([3, 2, 1], [(2, 0)], ["a", "ab", "b"]),
        ([1, 3, 2], [(0, 1)], ["b", "a", "ab"]),
        # Not transitive: the middle one, measured with much noise, differs from none.
        ([4, 3, 2, 1], [(0, 2), (0, 3), (1, 3)], ["a", "ab", "bc", "c"]),
        # The first and the last are alike, those between differ from both.
        ([4, 3, 2, 1], [(0, 1), (0, 2), (3, 1), (3, 2)], ["a", "b", "b", "a"]),
        ([4, 3, NAN, 1], [(0, 1), (0, 2), (1, 2)], ["a", "b", "", "ab"]),
        ([NAN, NAN], [(0, 1)], ["", ""]),
        ([], [], []),
    ],
)
def test_tie_groups_of_worked_cases(scores, pairs, expected):
    found = tie_groups(scores, different(len(scores), *pairs), higher_is_better=True)
    assert found == expected
    lower = tie_groups(-np.array(scores), different(len(scores), *pairs), higher_is_better=False)
    assert lower == expected


@settings(max_examples=200, deadline=None)
@given(data=st.data(), count=st.integers(1, 9))
def test_two_share_a_letter_if_and_only_if_they_do_not_differ(data, count):
    apart = np.triu(data.draw(arrays(bool, (count, count))), 1)
    scores = np.array(data.draw(st.permutations(range(count))), float)
    found = tie_groups(scores, apart, higher_is_better=True)
    letters = letters_of(found)
    for one in range(count):
        for other in range(one + 1, count):
            assert bool(letters[one] & letters[other]) != apart[one, other]
    best = int(scores.argmax())
    assert found[best].startswith("a")
    assert all(letters)


def test_letters_do_not_run_out():
    count = 60
    apart = ~np.eye(count, dtype=bool)
    found = tie_groups(np.arange(count), apart, higher_is_better=False)
    assert len(set(found)) == count
    assert (found[25], found[26], found[59]) == ("z", "a1", "h2")


def test_no_letter_is_idle():
    # 0, 1 and 2 are alike, but 013, 025 and 124 already hold each of their pairs.
    pairs = [(3, 4), (3, 5), (4, 5), (2, 3), (0, 4), (1, 5)]
    found = tie_groups([6, 5, 4, 3, 2, 1], different(6, *pairs), higher_is_better=True)
    assert found == ["ab", "ac", "bc", "a", "c", "b"]


def test_rank_intervals_count_what_is_clearly_better_and_worse():
    apart = different(5, (0, 2), (1, 2), (2, 4))
    scores = [0.1, 0.2, 0.5, NAN, 0.3]
    found = rank_intervals(scores, apart, higher_is_better=True)
    assert found.tolist() == [[2, 4], [2, 4], [1, 1], [0, 0], [2, 4]]
    turned = rank_intervals(scores, apart, higher_is_better=False)
    assert turned.tolist() == [[1, 3], [1, 3], [4, 4], [0, 0], [1, 3]]


@pytest.mark.slow
@pytest.mark.parametrize("gap", [0.0, 0.02, 0.1])
def test_rank_intervals_hold_all_true_ranks_together(gap):
    random = np.random.default_rng(1)
    true, images, repetitions = 0.3 + gap * np.arange(6), 100, 200
    best = 1 + (true[None] > true[:, None]).sum(axis=1)
    worst = 6 - (true[None] < true[:, None]).sum(axis=1)
    same, pairs = np.zeros(images), np.triu_indices(6, 1)
    held, width = 0, 0.0
    for _ in range(repetitions):
        easy = random.normal(size=(images, 1)) * 0.2
        scores = true + easy + random.normal(size=(images, 6)) * 0.15
        p = paired_tests(scores, np.arange(images), same, same).images
        apart = np.zeros((6, 6), bool)
        apart[pairs] = holm(p[pairs]) < 0.05
        low, high = rank_intervals(scores.mean(axis=0), apart, higher_is_better=True).T
        held += bool(((low <= best) & (worst <= high)).all())
        width += float((high - low).mean()) / repetitions
    assert at_least(held, repetitions, 0.95), held / repetitions
    expected = {0.0: (4.7, 5), 0.02: (2, 4.5), 0.1: (0, 0.3)}[gap]
    assert expected[0] <= width <= expected[1]


def test_kendall_tau_is_scipy_s_where_both_are_defined():
    first = np.array([1.0, 2, 2, NAN, 5, 4])
    second = np.array([3.0, 1, NAN, 2, 9, 9])
    expected = kendalltau([1, 2, 5, 4], [3, 1, 9, 9]).statistic
    assert kendall_tau(first, second) == expected
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == -1
    assert np.isnan(kendall_tau([1, NAN], [NAN, 1]))
    assert np.isnan(kendall_tau([1, NAN], [1, 2]))
    assert np.isnan(kendall_tau([1, 1, 1], [1, 2, 3]))
