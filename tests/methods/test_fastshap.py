"""FastSHAP: a game whose Shapley values are known, and sums that hold by construction."""

import pytest
import torch

from xaibench.explaining.training_set import Rows
from xaibench.methods.fastshap import _draw, _efficient, _miss, fastshap, learn_values

CELLS = 2
WEIGHTS = torch.tensor([[1.0, -2.0], [0.5, 3.0]]) / 8


def worth(images):
    """Two classes; each cell adds its mean, weighed: an additive game."""
    cells = torch.nn.functional.adaptive_avg_pool2d(images.mean(dim=1, keepdim=True), CELLS)[:, 0]
    one = (WEIGHTS * cells).sum(dim=(1, 2))
    return torch.stack([one, -one], dim=1)


def learned(images, epochs):
    draws = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    resumable = lambda steps, *_: range(steps)  # noqa: E731
    given = Rows(len(images), images.__getitem__), worth, 2, images.device, draws, resumable
    return learn_values(*given, cells=CELLS, epochs=epochs).state_dict()


def test_the_loss_is_least_at_the_shapley_values_of_a_game():
    """v = 3 a + 2 b + 4 a b of two players: the values are 5 and 4."""
    kept = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    gained = torch.tensor([[[3.0], [2.0]]])
    shares = torch.arange(0, 9.1, 0.5)
    losses = [float(_miss(kept, gained, torch.tensor([[[[s, 9 - s]]]]))) for s in shares]
    assert float(shares[losses.index(min(losses))]) == 5.0


@pytest.mark.slow
def test_in_an_additive_game_it_learns_what_each_cell_adds():
    drawn = torch.rand(64, 1, CELLS, CELLS + 1, generator=torch.Generator().manual_seed(1))
    images = torch.nn.functional.interpolate(drawn, (32, 48), mode="bilinear").expand(-1, 3, -1, -1)
    promised = []
    targets = torch.tensor([0, 1]).repeat(32)
    values = fastshap(
        images, targets, worth, lambda *each: promised.append(each), learned(images, 60),
        cells=CELLS,
    )  # fmt: skip
    cells = torch.nn.functional.adaptive_avg_pool2d(images.mean(dim=1, keepdim=True), CELLS)[:, 0]
    mean = images.mean(dim=(1, 2, 3))[:, None, None]
    truth = WEIGHTS * (cells - mean) * torch.where(targets == 0, 1, -1)[:, None, None]
    assert torch.corrcoef(torch.stack([values.flatten(), truth.flatten()]))[0, 1] > 0.5
    ((attributions, owed),) = promised
    torch.testing.assert_close(attributions.sum(dim=(1, 2)), owed, rtol=1e-5, atol=1e-6)


def test_coalitions_follow_the_shapley_kernel_in_pairs():
    kept = _draw(3000, 2, 1, torch.Generator().manual_seed(0))
    assert torch.equal(kept[:, 0], 1 - kept[:, 1])
    sizes = kept[:, 0].sum(dim=(1, 2)).long().bincount(minlength=5) / 3000
    kernel = torch.tensor([0, 1 / 3, 1 / 4, 1 / 3, 0])  # 1 / (k (4 - k)), before it sums to 1
    torch.testing.assert_close(sizes, kernel / kernel.sum(), rtol=0, atol=0.03)


def test_what_values_lack_is_shared_out_evenly():
    found = _efficient(torch.tensor([[[[1.0, 2.0, 3.0]]]]), torch.tensor([[9.0]]))
    assert found.tolist() == [[[[2.0, 3.0, 4.0]]]]
