"""Networks whose explanation is a part of the answer."""

import pytest
import torch
from torch import nn
from training_data import NAMES, batch_of, gradients

from xaibench.core.batch import cross_entropy
from xaibench.core.errors import XaibenchError
from xaibench.core.networks.pyramid import Pyramid
from xaibench.methods.evidence import evidence
from xaibench.models.abn import AttentionBranchNetwork
from xaibench.models.patch_classifier import PatchClassifier, _places, patch_classifier
from xaibench.models.softcam import SoftCam, softcam

CLASSES = len(NAMES)


def trunk():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU(),
    )  # fmt: skip


def test_softcam_is_cam_and_its_logits_are_the_evidence_s_mean():
    model = SoftCam(trunk(), channels=6, classes=CLASSES, lasso=0.2, ridge=0.5)
    batch = batch_of([False] * 2)
    outputs = model.outputs(batch.images)
    activations = model.trunk(model.normalize(batch.images))
    weights = model.head.weight[:, :, 0, 0]
    expected = torch.einsum("bdhw,kd->bkhw", activations, weights)
    expected = expected + model.head.bias[None, :, None, None]
    torch.testing.assert_close(outputs.evidence, expected)
    torch.testing.assert_close(outputs.logits, expected.mean(dim=(2, 3)))
    targets = torch.tensor([2, 0])
    maps = evidence(outputs.evidence, targets)
    assert torch.equal(maps[0], outputs.evidence[0, 2])
    assert torch.equal(maps[1], outputs.evidence[1, 0])
    found = model.loss(batch)["loss"] - cross_entropy(outputs.logits, batch)
    torch.testing.assert_close(found, 0.2 * expected.abs().mean() + 0.5 * (expected**2).mean())
    torch.testing.assert_close(model.embed(batch.images), activations.mean(dim=(2, 3)))


def test_patches_are_classified_alone_and_their_logits_averaged():
    model = PatchClassifier(trunk(), nn.Linear(6, CLASSES), patch=8)
    images = batch_of([False] * 2).images
    outputs = model.outputs(images)
    assert outputs.evidence.shape == (2, CLASSES, 5, 7)
    for row, column in ((0, 0), (2, 5), (4, 6)):
        cut = images[:, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        alone = model.head(model.trunk(model.normalize(cut)).mean(dim=(2, 3)))
        torch.testing.assert_close(outputs.evidence[:, :, row, column], alone)
    torch.testing.assert_close(outputs.logits, outputs.evidence.mean(dim=(2, 3)))
    torch.testing.assert_close(model.head(model.embed(images)), outputs.logits)


def test_the_attention_branch_weighs_what_the_last_stage_sees():
    model = AttentionBranchNetwork(
        Pyramid(*(nn.Sequential(*trunk()[i : i + 2]) for i in (0, 2))), channels=[4, 6],
        classes=CLASSES,
    ).eval()  # fmt: skip
    batch = batch_of([False] * 2)
    fine = model.trunk[0](model.normalize(batch.images))
    attention, attended = model.branch(fine)
    assert attention.shape == (2, 20, 28)
    assert 0 < attention.min() < attention.max() < 1
    weighed = model.trunk[1](fine * (1 + attention[:, None]))
    outputs = model.outputs(batch.images)
    torch.testing.assert_close(outputs.logits, model.head(weighed.mean(dim=(2, 3))))
    assert torch.equal(outputs.saliency, attention)
    both = cross_entropy(outputs.logits, batch) + cross_entropy(attended, batch)
    torch.testing.assert_close(model.loss(batch)["loss"], both)
    found = gradients(model.train(), batch)
    assert all(each.abs().sum() > 0 for each in found.values())


def test_impossible_options_are_refused():
    with pytest.raises(XaibenchError, match="can't be negative"):
        softcam(2, "none", backbone="resnet18", lasso=-0.1)
    with pytest.raises(XaibenchError, match=r"patch_classifier\[patch=16\]: at least 32"):
        patch_classifier(2, "none", backbone="resnet18", patch=16)


def test_patches_cover_every_pixel_whatever_the_side():
    for side, patch, count in ((96, 32, 3), (100, 32, 3), (112, 32, 4), (20, 32, 1)):
        places = _places(side, patch)
        assert len(places) == count
        assert set(places.flatten().tolist()) == set(range(side))
    assert _places(96, 32).flatten().tolist() == list(range(96))
