"""ROAD: what is removed, what is there instead, and what is made of it."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics.road import NoisyLinearImputer

from xaibench.core.errors import XaibenchError
from xaibench.core.imputation import impute
from xaibench.core.removal import ranks
from xaibench.core.seeds import BatchGenerator
from xaibench.metrics.road import road

COUNT, HEIGHT, WIDTH = 3, 18, 26
SEEDS = [1, 2, 3]


def case():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(COUNT, 3, HEIGHT, WIDTH, generator=generator)
    maps = torch.rand(COUNT, HEIGHT, WIDTH, generator=generator)
    weights = torch.randn(4, images[0].numel(), generator=generator) / 4
    return images, maps, torch.tensor([2, 0, 3]), weights


def asked(weights):
    return lambda images: (images.flatten(1) @ weights.T).softmax(dim=1)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_removed_pixels_are_imputed_as_a_peer_does(share):
    images, maps, *_ = case()
    removed = maps < share
    peer = NoisyLinearImputer(noise=0.0)
    expected = [peer(image, (~gone).float()) for image, gone in zip(images, removed, strict=True)]
    torch.testing.assert_close(
        impute(images, removed[:, None])[:, 0], torch.stack(expected), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("order", ["morf", "lerf", "difference"])
def test_the_value_is_the_mean_confidence_over_fractions(order):
    images, maps, targets, weights = case()
    peer, means = NoisyLinearImputer(noise=0.0), {"morf": [], "lerf": []}
    for row, (image, values) in enumerate(zip(images, maps.numpy(), strict=True)):
        for way, sign in (("morf", -1), ("lerf", 1)):
            places = np.argsort(sign * values, axis=None)
            confidences = []
            for fraction in (0.1, 0.6):
                keep = torch.ones(HEIGHT * WIDTH)
                keep[places[: round(fraction * HEIGHT * WIDTH)]] = 0
                seen = peer(image, keep.view(HEIGHT, WIDTH))
                confidences.append(asked(weights)(seen[None])[0, targets[row]].item())
            means[way].append(np.mean(confidences))
    means["difference"] = (np.array(means["lerf"]) - np.array(means["morf"])) / 2
    found = road(maps, images, targets, asked(weights), BatchGenerator(SEEDS),
                 order=order, fractions=(0.1, 0.6), noise=0.0)  # fmt: skip
    np.testing.assert_allclose(found, means[order], atol=1e-5)


@pytest.mark.parametrize("share", [0.06, 0.0])
@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_a_map_of_94_percent_zeros_loses_exactly_the_nominal_fraction(order, share):
    fractions = (0.05, 0.2, 0.5, 0.8, 0.97)
    _, maps, targets, _ = case()
    hot = maps > 1 - share
    maps = maps * hot
    stamped = torch.full((COUNT, 1, HEIGHT, WIDTH), 0.25)
    looks = []

    def predict(seen):
        looks.append((seen != 0.25)[:, 0])  # noise moves what was removed, and nothing else
        return torch.ones(len(seen), 4)

    road(maps, stamped, targets, predict, BatchGenerator(SEEDS), order=order, fractions=fractions)
    for fraction, gone in zip(fractions, looks, strict=True):
        nominal = round(fraction * HEIGHT * WIDTH)
        assert gone.sum(dim=(1, 2)).tolist() == [nominal] * COUNT
        many = hot.sum(dim=(1, 2))
        first = many.clamp(max=nominal) if order == "morf" else (nominal + many - 468).clamp(min=0)
        assert (gone & hot).sum(dim=(1, 2)).tolist() == first.tolist()


def test_chance_and_not_place_decides_among_equal_pixels():
    chance = BatchGenerator(SEEDS).uniform(HEIGHT, WIDTH)
    places = ranks(torch.zeros(COUNT, HEIGHT, WIDTH), chance)
    assert not torch.equal(places[0], places[1])
    assert torch.equal(places, ranks(chance))
    # Spread over the image, not its upper rows.
    assert 0.4 < (places < 234)[:, : HEIGHT // 2].float().mean() < 0.6


def test_ranks_count_up_from_the_lowest_and_in_reading_order():
    values = torch.tensor([[[0.5, 0.0, 0.9], [0.0, 0.5, 0.0]]])
    assert ranks(values).tolist() == [[[3, 0, 5], [1, 4, 2]]]
    assert ranks(-values).tolist() == [[[1, 3, 0], [4, 2, 5]]]


def test_noise_is_the_same_for_all_methods():
    images, maps, targets, weights = case()

    def score(values):
        return road(values, images, targets, asked(weights), BatchGenerator(SEEDS), noise=0.3)

    assert torch.equal(score(maps), score(maps / 2))
    assert not torch.equal(score(maps), score(1 - maps))


@pytest.mark.parametrize("options", [{"fractions": ()}, {"fractions": (0.5, 1.0)}, {"noise": -1.0}])
def test_fractions_and_noise_that_make_no_sense_are_refused(options):
    images, maps, targets, weights = case()
    with pytest.raises(XaibenchError, match="road: 'fractions' lie between 0 and 1"):
        road(maps, images, targets, asked(weights), BatchGenerator(SEEDS), **options)
