"""Infidelity and maximum sensitivity: captum's, under the same noise."""

import captum.metrics
import pytest
import torch

from xaibench.core.errors import XaibenchError
from xaibench.core.seeds import BatchGenerator
from xaibench.metrics.infidelity import infidelity
from xaibench.metrics.sensitivity_max import sensitivity_max

COUNT, SHAPE, SAMPLES = 4, (3, 9, 13), 7
SEEDS = [11, 12, 13, 14]


def case():
    generator = torch.Generator().manual_seed(5)
    images = torch.rand(COUNT, *SHAPE, generator=generator)
    maps = torch.rand(COUNT, *SHAPE[1:], generator=generator)
    weights = torch.randn(3, images[0].numel(), generator=generator) / 4
    return images, maps, torch.tensor([2, 0, 1, 1]), weights


def asked(weights):
    return lambda images: (images.flatten(1) @ weights.T).softmax(dim=1)


def noise_of(draw, seeds=SEEDS):
    """All that a metric draws, image by image: ``(B * SAMPLES, C, H, W)``."""
    generator = BatchGenerator(seeds)
    drawn = [getattr(generator, draw)(*SHAPE) for _ in range(SAMPLES)]
    return torch.stack(drawn, dim=1).flatten(0, 1)


def infidelity_of(images, maps, targets, weights, seeds=SEEDS, **options):
    confidence = asked(weights)(images).gather(1, targets[:, None])[:, 0]
    options = {"samples": SAMPLES, **options}
    return infidelity(
        maps, images, targets, confidence, asked(weights), BatchGenerator(seeds), **options
    )


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("size", [0.003, 0.3])
def test_infidelity_is_captums(normalize, size):
    images, maps, targets, weights = case()
    added = size * noise_of("normal")
    expected = captum.metrics.infidelity(
        asked(weights.double()), lambda seen: (added.double(), seen - added),
        images.double(), maps[:, None].expand_as(images).double(), target=targets,
        n_perturb_samples=SAMPLES, normalize=normalize,
    )  # fmt: skip
    found = infidelity_of(images, maps, targets, weights, noise=size, normalize=normalize)
    torch.testing.assert_close(found.double(), expected, rtol=2e-3, atol=1e-10)
    assert (found > 0).all()


def test_a_map_that_foretells_each_change_is_faithful_and_none_is_worse_than_zeros():
    images, maps, targets, _ = case()
    slope = torch.rand(SHAPE[1:], generator=torch.Generator().manual_seed(6)) / 100

    def predict(seen):
        confidence = 0.4 + ((seen - 0.5) * slope).sum(dim=(1, 2, 3))
        return torch.stack([confidence, 1 - confidence], dim=1)

    targets = torch.zeros_like(targets)
    confidence = predict(images)[:, 0]

    def score(values, **options):
        generator = BatchGenerator(SEEDS)
        return infidelity(values, images, targets, confidence, predict, generator, **options)

    right, none = slope.expand_as(maps), torch.zeros_like(maps)
    assert (score(right, normalize=False) < 1e-10).all()
    # A factor doesn't count, unless it is meant to.
    assert (score(50 * right) < 1e-10).all()
    assert (score(50 * right, normalize=False) > 1e-3).all()
    worst = score(none)
    assert torch.equal(worst, score(none, normalize=False))
    assert (score(maps) <= worst).all()
    assert (score(right.flip(1)) > 1e-6).all()


def explained(images):
    """Maps that hang on the image, on each of its channels and on the place."""
    ramp = torch.linspace(0, 1, images.shape[-1])
    return (images[:, 0] * images[:, 1] - 0.2 * images[:, 2] + ramp).relu()


@pytest.mark.parametrize("radius", [0.02, 0.4])
def test_maximum_sensitivity_is_captums(radius):
    images, *_ = case()
    moved = radius * (2 * noise_of("uniform") - 1)
    expected = captum.metrics.sensitivity_max(
        lambda seen: (explained(seen[0]),) if isinstance(seen, tuple) else explained(seen),
        images,
        perturb_func=lambda seen: seen + moved,
        n_perturb_samples=SAMPLES,
    )
    found = sensitivity_max(explained(images), images, explained, BatchGenerator(SEEDS),
                            samples=SAMPLES, radius=radius)  # fmt: skip
    torch.testing.assert_close(found, expected)
    assert found.min() > radius / 10


def test_every_image_is_moved_within_the_radius_and_explained_once_a_sample():
    images, *_ = case()
    seen = []

    def explain(moved):
        seen.append(moved)
        return explained(moved)

    sensitivity_max(explained(images), images, explain, BatchGenerator(SEEDS), radius=0.05)
    moves = torch.stack(seen) - images
    assert moves.shape == (10, *images.shape)
    assert 0.045 < moves.abs().max() <= 0.05 + 1e-6
    assert moves.min() < -0.045
    assert moves.std(dim=0).min() > 0


def test_a_map_that_never_changes_is_insensitive_and_of_zeros_undefined():
    images, maps, *_ = case()
    maps[1] = 0.0
    found = sensitivity_max(maps, images, lambda _: maps, BatchGenerator(SEEDS))
    assert found.isnan().tolist() == [False, True, False, False]
    assert found[[0, 2, 3]].tolist() == [0, 0, 0]


def test_an_images_noise_is_its_own():
    images, maps, targets, weights = case()
    rows = [3, 1]
    seeds = [SEEDS[row] for row in rows]
    whole = infidelity_of(images, maps, targets, weights)
    part = infidelity_of(images[rows], maps[rows], targets[rows], weights, seeds)
    torch.testing.assert_close(part, whole[rows], rtol=1e-4, atol=1e-9)
    whole = sensitivity_max(explained(images), images, explained, BatchGenerator(SEEDS))
    part = sensitivity_max(explained(images)[rows], images[rows], explained, BatchGenerator(seeds))
    assert torch.equal(part, whole[rows])


@pytest.mark.parametrize("options", [{"samples": 0}, {"noise": 0.0}])
def test_infidelity_without_noise_is_refused(options):
    with pytest.raises(XaibenchError, match="infidelity: 'samples'"):
        infidelity_of(*case(), **options)


@pytest.mark.parametrize("options", [{"samples": 0}, {"radius": -0.1}])
def test_sensitivity_without_noise_is_refused(options):
    images, maps, *_ = case()
    with pytest.raises(XaibenchError, match="sensitivity_max: 'samples'"):
        sensitivity_max(maps, images, explained, BatchGenerator(SEEDS), **options)
