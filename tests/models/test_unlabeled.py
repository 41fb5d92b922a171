import copy
import math

import pytest
import torch
from torch import nn
from training_data import NAMES, batch_of, gradients

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.losses import bce_dice
from xaibench.core.networks.mask_heads import SaliencyDecoder
from xaibench.models.saliency_net import SaliencyNet

KINDS = ["mean_teacher", "pseudo", "consistency"]


def build(unlabeled="none"):
    torch.manual_seed(0)
    trunk = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU(),
    )  # fmt: skip
    head = SaliencyDecoder(8, 2, "bilinear")
    model = SaliencyNet(trunk, head, channels=8, classes=len(NAMES), loss="dice", weight=0.5,
                        unlabeled=unlabeled)  # fmt: skip
    return model.train()


def teacher():
    torch.manual_seed(3)
    other = copy.deepcopy(build())
    for parameter in other.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return other


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("progress", "rise"), [(0.1, math.exp(-5 * 0.75**2)), (0.7, 1)])
def test_images_without_a_mask_add_the_difference_to_the_mirror_image_s_map(kind, progress, rise):
    model, batch = build(kind), batch_of([True, False, False])
    batch.teacher, batch.progress = teacher(), progress
    with torch.no_grad():
        own = model.outputs(batch.images, saliency=True).saliency[1:]
        looker = (model if kind == "consistency" else batch.teacher).eval()
        other = looker.outputs(batch.images[1:].flip(3), saliency=True).saliency.flip(2)
    if kind == "pseudo":
        certain = ((other < 0.2) | (other > 0.8)).float()
        assert 0 < certain.mean() < 1
        expected = bce_dice(own, (other > 0.5).float(), certain).sum() / 3
    else:
        expected = (own - other).square().mean(dim=(1, 2)).sum() / 3
    added = build(kind).loss(batch)["loss"] - build().loss(batch)["loss"]
    torch.testing.assert_close(added, 0.5 * rise * expected, rtol=1e-3, atol=1e-5)
    assert batch.teacher.training == (kind == "consistency")


@pytest.mark.parametrize("kind", KINDS)
def test_it_reaches_the_mask_head_and_never_the_teacher(kind):
    model, batch = build(kind), batch_of([False, False])
    batch.teacher, batch.progress = teacher(), 1
    found = gradients(model, batch)
    assert found["mask_head.1.weight"].abs().sum() > 0
    assert all(parameter.grad is None for parameter in batch.teacher.parameters())


def test_a_judged_model_learns_nothing_and_all_masks_leave_nothing_to_agree_on():
    model, batch = build("mean_teacher"), batch_of([True, True])
    batch.teacher = teacher()
    torch.testing.assert_close(model.loss(batch)["loss"], build().loss(batch)["loss"])
    hidden = batch_of([False, True])
    found = build("mean_teacher").eval().loss(hidden)["loss"]
    torch.testing.assert_close(found, build().eval().loss(hidden)["loss"])


def test_a_missing_average_is_told():
    with pytest.raises(XaibenchError, match=r"unlabeled=pseudo learns from .* give --ema"):
        build("pseudo").loss(batch_of([False, True]))
