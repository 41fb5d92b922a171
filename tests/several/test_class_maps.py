"""A map for each class: what it learns from, what it doesn't, and which one is explained."""

import numpy as np
import pytest
import torch
from torch import nn

from xaibench.core.augment import augment
from xaibench.core.batch import Batch
from xaibench.core.data import IGNORED, ClassLabel, MaskLayer, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.networks.class_maps import class_loss
from xaibench.core.networks.losses import LOSSES
from xaibench.core.networks.mask_heads import SaliencyDecoder
from xaibench.core.networks.pyramid import Pyramid, SkipDecoder
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.tape import Tape
from xaibench.core.registry import bind
from xaibench.models.guided import Guided
from xaibench.models.saliency_net import SaliencyNet, saliency_net
from xaibench.models.unet import ClassUNet
from xaibench.training.supervision import known_masks

CLASSES, SIZE = 3, (8, 12)
KNOWN = torch.tensor([[True, False, True], [False, False, False], [True, True, False]])


def trunk():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU())


def batch_of(known=KNOWN, labels=None):
    random = torch.Generator().manual_seed(1)
    masks = (torch.rand(3, CLASSES, *SIZE, generator=random) < 0.3).to(torch.int8)
    masks[2, 1] = 0  # it doesn't show
    masks[0, 2, :2] = IGNORED
    labels = (masks > 0).flatten(2).any(dim=2).long() if labels is None else labels
    images = torch.rand(3, 3, *SIZE, generator=random)
    return Batch(images, labels, masks.amax(dim=1), known.any(dim=1), 3, 2,
                 class_masks=masks, class_known=known, localization_loss="bce_dice")  # fmt: skip


def by_hand(maps, batch):
    """Binary cross-entropy and Dice of each known class, by the book, then the image's mean."""
    total = 0.0
    for row, classes in enumerate(batch.class_known.tolist()):
        costs = []
        for k in np.flatnonzero(classes):
            kept = (batch.class_masks[row, k] != IGNORED).numpy()
            p, y = maps[row, k].numpy()[kept], (batch.class_masks[row, k] > 0).numpy()[kept]
            entropy = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
            costs.append(entropy + 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1))
        total += float(np.mean(costs)) if costs else 0.0
    return total


def test_the_loss_is_that_of_known_classes_alone():
    batch = batch_of()
    maps = torch.rand(3, CLASSES, *SIZE).clamp(0.05, 0.95).requires_grad_()
    costs = class_loss(LOSSES["bce_dice"], maps, batch.class_masks, batch.class_known)
    assert costs[1] == 0
    assert costs.sum().item() == pytest.approx(by_hand(maps.detach(), batch), rel=1e-5)
    costs.sum().backward()
    moved = maps.grad.flatten(2).abs().amax(dim=2) > 0
    assert torch.equal(moved, KNOWN)
    assert not maps.grad[0, 2, :2].any()


def networks():
    torch.manual_seed(0)
    told = {"channels": 4, "classes": CLASSES, "loss": "", "weight": 1.0,
            "by_class": True}  # fmt: skip
    yield SaliencyNet(trunk(), SaliencyDecoder(4, 1, "bilinear", CLASSES), **told)
    levels = Pyramid(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 5, 3, 2, 1))
    yield ClassUNet(levels, SkipDecoder((4, 5), CLASSES), all_masks=True)


def test_networks_learn_their_maps_from_what_is_known():
    for model in networks():
        model.eval()
        batch = batch_of()
        maps = model.outputs(batch.images, saliency=True).saliency
        assert maps.shape == (3, CLASSES, *SIZE)
        losses = model.loss(batch)
        found = losses.get("localization", losses["loss"])
        assert found.item() == pytest.approx(by_hand(maps.detach(), batch) / 2, rel=1e-4)
        nothing = model.train().loss(batch_of(torch.zeros_like(KNOWN)))
        assert nothing["loss"].isfinite()
        nothing["loss"].backward()
        assert all(parameter.grad is not None for parameter in model.parameters())


def test_one_label_an_image_says_of_other_classes_that_they_show_nowhere():
    masks = torch.ones(2, 4, 5, dtype=torch.int8)
    batch = Batch(torch.zeros(2, 3, 4, 5), torch.tensor([2, 0]), masks,
                  torch.tensor([True, False]), 2, 1)  # fmt: skip
    each, known = batch.each_class(3)
    assert each.sum(dim=(2, 3)).tolist() == [[0, 0, 20], [20, 0, 0]]
    assert known.tolist() == [[True] * 3, [False] * 3]


def test_the_map_that_is_explained_is_that_of_the_target():
    model = next(networks()).eval()
    images, targets = batch_of().images, torch.tensor([2, 0, 1])
    tape = Tape(Engine(model, fold=False), images, {"saliency"})
    found = tape.saliency(torch.arange(3), targets)
    every = model.outputs(images, saliency=True).saliency.detach()
    for row, target in enumerate(targets.tolist()):
        torch.testing.assert_close(found[row], every[row, target], atol=1e-5, rtol=0)


def test_which_masks_are_known():
    layer = (MaskLayer(None),)
    labels = (ClassLabel(1, layer), ClassLabel(0, ()), ClassLabel(1), ClassLabel(-1, layer))
    samples = [Sample(name, None, 0, class_labels=labels) for name in ("seen", "hidden")]
    found = known_masks(samples, frozenset({"seen"}))
    assert found.tolist() == [[True, True, False, False], [False] * 4]


@pytest.mark.parametrize("loss", ["energy", "energy_dice", "dice", "res"])
def test_guidance_of_several_labels_is_that_of_each_class_alone(loss):
    torch.manual_seed(3)
    told = {"channels": 4, "classes": CLASSES, "weight": 1.0, "boxes_only": False}
    model = Guided(trunk(), guidance=loss, **told).eval()
    several = batch_of()
    found = model.loss(several)["guidance"]
    alone = []
    for row, classes in enumerate(KNOWN.tolist()):
        mine = []
        for k in np.flatnonzero(classes):
            mask = several.class_masks[row, k][None]
            if (mask > 0).any():  # nothing is asked of what doesn't show
                one = Batch(several.images[row][None], torch.tensor([k]), mask,
                            torch.tensor([True]), 1, 1)  # fmt: skip
                mine.append(model.loss(one)["guidance"].item())
        alone.append(mine)
    assert [len(each) for each in alone] == [2, 0, 1]
    # The third image has two known classes, of which one doesn't show.
    expected = (sum(alone[0]) / 2 + alone[2][0]) / 2
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_masks_of_all_classes_move_together():
    masks = batch_of().class_masks
    images = batch_of().images
    kinds = ("rotation", "crop", "horizontal_flip")
    moved, each = augment(images, masks, [5, 6, 7], kinds)
    for k in range(CLASSES):
        again, one = augment(images, masks[:, k], [5, 6, 7], kinds)
        assert torch.equal(one, each[:, k])
        assert torch.equal(again, moved)


def test_what_cannot_have_a_map_for_each_class_is_refused():
    with pytest.raises(XaibenchError, match="goes with mask_head=spn or unet"):
        saliency_net(3, "none", mask_head="attention", maps="class")
    assert not Guided(trunk(), guidance="gain", channels=4, classes=3, weight=1.0,
                      boxes_only=False).takes_several_labels  # fmt: skip
    assert bind("model", "unet[maps=class]").spec == "unet[maps=class]"
