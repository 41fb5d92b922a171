from itertools import product
from typing import get_args

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics import cam_mult_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
from scipy import ndimage
from torch import nn

from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.covering import By, Covered, CoveredConfidence, cover
from xaibench.core.model import Classifier
from xaibench.core.passes.engine import Engine
from xaibench.metrics.drop_in_confidence import drop_in_confidence
from xaibench.metrics.increase_in_confidence import increase_in_confidence

COUNT, HEIGHT, WIDTH, CLASSES = 6, 26, 38, 3
WAYS = list(product(get_args(Covered), get_args(By), get_args(Baseline)))


def build():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 8 * 12, CLASSES)
    )
    nn.init.normal_(network[-1].weight, std=0.5)
    return Classifier(network, cam_layer=None).eval()


def case():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(COUNT, 3, HEIGHT, WIDTH, generator=generator)
    maps = torch.rand(COUNT, HEIGHT, WIDTH, generator=generator)
    maps[:, :, : WIDTH // 3] *= 0.3
    maps /= maps.flatten(1).amax(dim=1)[:, None, None]
    return images, maps, torch.arange(COUNT) % CLASSES


class Case:
    """What the engine hands to the metrics, with the passes counted."""

    def __init__(self):
        self.model = build()
        self.images, self.maps, self.targets = case()
        self.passes = 0
        self.confidence = self.look(self.images).gather(1, self.targets[:, None])[:, 0]
        self.passes = 0
        self.covered = CoveredConfidence(self.images, self.maps, self.targets, self.look)

    def look(self, images):
        self.passes += 1
        return Engine(self.model).predict(images)


def background(image, baseline):
    if baseline == "black":
        return np.zeros_like(image)
    if baseline == "mean":
        return np.broadcast_to(image.mean(axis=(1, 2), keepdims=True), image.shape)
    sigma = HEIGHT / 10
    blur = [ndimage.gaussian_filter(c, sigma, mode="mirror", radius=int(2 * sigma)) for c in image]
    return np.stack(blur)


def covered_by_hand(image, values, covered, by, baseline):
    keep = values if by == "darken" else (values >= 0.5 * values.max()).astype(np.float64)
    keep = keep if covered == "unimportant" else 1 - keep
    return image * keep + background(image, baseline) * (1 - keep)


def confidences_by_hand(model, images, targets):
    with torch.no_grad():
        logits = model(torch.from_numpy(np.float32(images))).double().numpy()
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (exponents / exponents.sum(axis=1, keepdims=True))[np.arange(len(targets)), targets]


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_every_way_of_covering_equals_the_formula_pixel_by_pixel(way):
    images, maps, _ = case()
    expected = [
        covered_by_hand(image, values, *way)
        for image, values in zip(images.double().numpy(), maps.double().numpy(), strict=True)
    ]
    covered, by, baseline = way
    found = cover(images, maps, covered, by, baseline_of(images, baseline))
    np.testing.assert_allclose(found, expected, atol=2e-6)
    if baseline == "black":
        assert torch.equal(cover(images, maps, covered, by, None), found)


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_drop_and_increase_equal_their_definitions(way):
    evidence = Case()
    options = dict(zip(("covered", "by", "baseline"), way, strict=True))
    covered = np.stack([
        covered_by_hand(image, values, *way)
        for image, values in zip(
            evidence.images.double().numpy(), evidence.maps.double().numpy(), strict=True
        )
    ])  # fmt: skip
    before = confidences_by_hand(evidence.model, evidence.images.numpy(), evidence.targets.numpy())
    after = confidences_by_hand(evidence.model, covered, evidence.targets.numpy())
    drops = drop_in_confidence(evidence.confidence, evidence.covered, **options)
    rises = increase_in_confidence(evidence.confidence, evidence.covered, **options)
    np.testing.assert_allclose(drops, np.maximum(0, before - after) / before, atol=1e-4)
    np.testing.assert_array_equal(rises, after > before)
    assert 0 < rises.sum() < COUNT


def test_the_drop_of_a_peer_is_ours_before_dividing_by_the_confidence():
    evidence = Case()
    model = nn.Sequential(evidence.model)
    targets = [ClassifierOutputSoftmaxTarget(int(target)) for target in evidence.targets]
    arguments = (evidence.images, evidence.maps.numpy()[:, None], targets, model)
    drops = cam_mult_image.DropInConfidence()(*arguments)
    rises = cam_mult_image.IncreaseInConfidence()(*arguments)
    ours = drop_in_confidence(evidence.confidence, evidence.covered)
    np.testing.assert_allclose(ours * evidence.confidence, drops, atol=1e-6)
    increases = increase_in_confidence(evidence.confidence, evidence.covered)
    np.testing.assert_array_equal(increases, rises)


def test_each_way_of_covering_costs_one_pass_for_all_metrics():
    evidence = Case()
    for _ in range(2):
        drop_in_confidence(evidence.confidence, evidence.covered)
        increase_in_confidence(evidence.confidence, evidence.covered)
    assert evidence.passes == 1
    drop_in_confidence(evidence.confidence, evidence.covered, covered="important")
    drop_in_confidence(evidence.confidence, evidence.covered, by="zero")
    increase_in_confidence(evidence.confidence, evidence.covered, baseline="blur")
    increase_in_confidence(evidence.confidence, evidence.covered, by="zero")
    assert evidence.passes == 4


def test_covering_happens_in_pixels_before_normalization():
    images, _, _ = case()
    black = cover(images, torch.zeros(COUNT, HEIGHT, WIDTH), "unimportant", "darken", None)
    assert not black.any()


def test_a_map_of_ones_covers_nothing_and_of_zeros_everything():
    evidence = Case()
    for level, expected in ((1.0, evidence.images), (0.0, torch.zeros_like(evidence.images))):
        maps = torch.full_like(evidence.maps, level)
        for by in get_args(By):
            assert torch.equal(cover(evidence.images, maps, "unimportant", by, None), expected)
    covered = CoveredConfidence(evidence.images, torch.ones_like(evidence.maps), evidence.targets,
                                evidence.look)  # fmt: skip
    assert not drop_in_confidence(evidence.confidence, covered).any()
    assert not increase_in_confidence(evidence.confidence, covered).any()


def test_a_constant_image_looks_alike_under_its_mean_and_its_blur():
    _, maps, _ = case()
    images = torch.full((COUNT, 3, HEIGHT, WIDTH), 0.4)
    for covered, by, baseline in product(get_args(Covered), get_args(By), ("mean", "blur")):
        beneath = baseline_of(images, baseline)
        torch.testing.assert_close(cover(images, maps, covered, by, beneath), images)


def test_no_confidence_to_lose_is_undefined():
    drops = drop_in_confidence(torch.tensor([0.0, 0.5]), lambda *_: torch.tensor([0.0, 0.1]))
    assert drops.isnan().tolist() == [True, False]
