from itertools import permutations

import pytest
import torch

from xaibench.core.shapley import draw_coalitions, solve_shapley
from xaibench.core.superpixels import find_superpixels


def by_permutations(players, worth):
    """Mean gain of each player over all orders in which they come."""
    total, orders = torch.zeros(players), list(permutations(range(players)))
    for order in orders:
        for place, player in enumerate(order):
            before = sum(1 << other for other in order[:place])
            total[player] += worth[before | 1 << player] - worth[before]
    return total / len(orders)


def numbers_of(coalitions):
    return (coalitions.long() << torch.arange(coalitions.shape[1])).sum(dim=1)


@pytest.mark.parametrize("players", [1, 2, 3, 5])
def test_all_coalitions_give_the_exact_shapley_values(players):
    worth = torch.rand(2**players, generator=torch.Generator().manual_seed(0))
    coalitions, weights = draw_coalitions(players, 32, torch.rand(32, players + 1))
    numbers = numbers_of(coalitions)
    assert sorted(numbers.tolist()) == list(range(2**players))
    found = solve_shapley(coalitions, weights, worth[numbers])
    torch.testing.assert_close(found, by_permutations(players, worth))


def test_drawn_coalitions_come_close_to_the_shapley_values():
    # Groups that win a prize together, which their members share.
    players, generator, errors = 14, torch.Generator().manual_seed(0), []
    groups = torch.rand(40, players, generator=generator) < 0.3
    groups = groups[groups.any(dim=1)]
    prizes = torch.randn(len(groups), generator=generator)
    expected = (groups * (prizes / groups.sum(dim=1))[:, None]).sum(dim=0)
    for samples in (200, 10000):
        chances = torch.rand(samples, players + 1, generator=generator)
        coalitions, weights = draw_coalitions(players, samples, chances)
        assert len(coalitions) == samples
        assert torch.equal(coalitions[1:-1:2], ~coalitions[2:-1:2])
        complete = (groups <= coalitions[:, None]).all(dim=2)
        values = complete.float() @ prizes + 3
        found = solve_shapley(coalitions, weights, values)
        torch.testing.assert_close(found.sum(), values[-1] - values[0])
        errors.append(float((found - expected).abs().max()))
    assert errors[1] < 0.15 * float(expected.std())
    assert errors[1] < errors[0] / 4


def test_sizes_are_drawn_by_the_shapley_kernel():
    coalitions, _ = draw_coalitions(
        20, 20000, torch.rand(20000, 21, generator=torch.Generator().manual_seed(0))
    )
    sizes = torch.arange(1, 20)
    expected = 1 / (sizes * (20 - sizes))
    found = coalitions[1:-1].sum(dim=1).bincount(minlength=20)[1:] / (len(coalitions) - 2)
    torch.testing.assert_close(found, expected / expected.sum(), rtol=0, atol=0.01)
    torch.testing.assert_close(
        coalitions.float().mean(dim=0), torch.full((20,), 0.5), rtol=0, atol=0.02
    )


def test_what_few_coalitions_leave_open_is_shared_equally():
    coalitions, weights = draw_coalitions(30, 12, torch.rand(12, 31))
    found = solve_shapley(coalitions, weights, coalitions.sum(dim=1).float())
    torch.testing.assert_close(found, torch.ones(30))


@pytest.mark.parametrize(
    ("size", "count"), [((64, 96), 50), ((5, 200), 8), ((200, 5), 2), ((24, 24), 2), ((9, 14), 50)]
)
def test_noise_has_parts_and_no_more_than_twice_the_number(size, count):
    noise = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    labels = find_superpixels(noise, count)
    assert labels.shape == size
    assert 1 < len(labels.unique()) == labels.max() + 1 <= 2 * count
