import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau
from simulated import at_least

from xaibench.stats.ranks import kendall_tau, rank_intervals, tie_groups
from xaibench.stats.resampling import Resampling

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


def test_rank_intervals_of_worked_draws():
    clear = np.random.default_rng(0).normal([1, 5, 3], 0.1, (500, 3))
    assert rank_intervals(clear, higher_is_better=True).tolist() == [[3, 3], [1, 1], [2, 2]]
    assert rank_intervals(clear, higher_is_better=False).tolist() == [[1, 1], [3, 3], [2, 2]]


def test_equal_columns_share_their_ranks_and_undefined_ones_have_none():
    draws = np.random.default_rng(0).normal(size=(500, 1)) * [1, 1, 1, NAN, 1]
    draws = draws + np.array([0, 0.3, 0, 0, -1])  # paired: what lies above in every draw is better
    found = rank_intervals(draws, higher_is_better=True)
    assert found.tolist() == [[2, 3], [1, 1], [2, 3], [0, 0], [4, 4]]
    assert rank_intervals(np.full((5, 2), NAN), higher_is_better=True).tolist() == [[0, 0]] * 2
    assert rank_intervals(np.ones((5, 1)), higher_is_better=True).tolist() == [[1, 1]]


@pytest.mark.parametrize("gap", [1e-6, 0.02, 0.1])
def test_rank_intervals_hold_the_true_rank(gap):
    random = np.random.default_rng(1)
    true, images, repetitions = 0.3 + gap * np.arange(6), 100, 200
    ranks = np.arange(6, 0, -1)
    held, width = np.zeros(6, int), 0.0
    units = Resampling(np.arange(images), np.zeros(images), np.zeros(images), draws=600)
    for _ in range(repetitions):
        easy = random.normal(size=(images, 1)) * 0.2
        means = units.means(true + easy + random.normal(size=(images, 6)) * 0.15)
        low, high = rank_intervals(means, higher_is_better=True).T
        held += (low <= ranks) & (ranks <= high)
        width += float((high - low).mean()) / repetitions
    assert all(at_least(count, repetitions, 0.95) for count in held), held / repetitions
    expected = {1e-6: (4.7, 5), 0.02: (2, 4), 0.1: (0, 0.1)}[gap]
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
