import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from training_data import NAMES, batch_of, gradients

from xaibench.core.networks.losses import LOSSES
from xaibench.core.networks.pyramid import Pyramid, SkipDecoder
from xaibench.core.networks.trunk_classifier import make_head
from xaibench.core.registry import bind
from xaibench.models.saliency_net import SaliencyNet
from xaibench.models.same_head import same_head
from xaibench.models.unet import UNet
from xaibench.setup.building import ModelWords

CLASSES = len(NAMES)
CHANNELS = [4, 5, 6]


def trunk():
    torch.manual_seed(0)
    widths = [3, *CHANNELS]
    return Pyramid(*(
        nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU())
        for a, b in zip(widths, CHANNELS, strict=False)
    ))  # fmt: skip


def unet(*, all_masks=True):
    return UNet(trunk(), SkipDecoder(CHANNELS, 1 + CLASSES), all_masks=all_masks).eval()


def test_class_maps_are_what_is_marked_shared_out_among_the_classes():
    model, images = unet(), batch_of([True] * 2).images
    maps = model.outputs(images).class_maps
    assert maps.shape == (2, 1 + CLASSES, 40, 56)
    logits = model.decoder(model.trunk.levels(model.normalize(images)))
    logits = functional.interpolate(logits, (40, 56), mode="bilinear", align_corners=False)
    torch.testing.assert_close(1 - maps[:, 0], logits[:, 0].sigmoid())
    expected = logits[:, 0, None].sigmoid() * logits[:, 1:].softmax(dim=1)
    torch.testing.assert_close(maps[:, 1:], expected)


@pytest.mark.parametrize("loss", ["bce", "bce_dice", "tversky"])
def test_the_loss_is_that_of_the_marked_and_of_their_class_on_masked_images_alone(loss):
    weights = torch.tensor([0.2, 0.5, 0.9])
    model, batch = unet(), batch_of([False, True, False, True], weights=weights)
    batch.localization_loss = loss
    maps, total = model.outputs(batch.images).class_maps, 0
    for row in (1, 3):
        truth, label = (batch.masks[row] > 0).float(), batch.labels[row]
        marked = LOSSES[loss](1 - maps[row, :1], truth[None])[0]
        share = maps[row, 1 + label] / maps[row, 1:].sum(dim=0)
        classes = -share[truth > 0].log().mean()
        total += weights[label] * (marked + classes)
    torch.testing.assert_close(model.loss(batch)["loss"], total / 2)


def test_hidden_masks_teach_nothing():
    model = unet(all_masks=False)
    seen, hidden = batch_of([True, False]), batch_of([True, False])
    hidden.masks[1] = 1 - hidden.masks[1]
    hidden.images, seen.images = seen.images, seen.images
    first, second = gradients(model, seen), gradients(model, hidden)
    assert all(torch.equal(first[name], second[name]) for name in first)
    nothing = gradients(model, batch_of([False, False]))
    assert not any(each.any() for each in nothing.values())


def test_the_saliency_aware_network_joins_the_stages_and_its_logits_are_the_same_head_s():
    model = SaliencyNet(
        trunk(), SkipDecoder(CHANNELS, 1), channels=6, classes=CLASSES, loss="dice", weight=1
    ).eval()
    images = batch_of([True] * 2).images
    outputs = model.outputs(images, saliency=True)
    assert outputs.saliency.shape == (2, 40, 56)
    assert 0 <= outputs.saliency.min() < outputs.saliency.max() <= 1
    pooled = model.trunk(model.normalize(images)).mean(dim=(2, 3))
    torch.testing.assert_close(outputs.logits, model.head(pooled))
    assert model.cam_layer == "trunk.2"
    found = gradients(model.train(), batch_of([True, False]))
    assert all(found[f"trunk.{stage}.0.weight"].any() for stage in range(3))


def test_the_same_head_is_the_saliency_aware_network_without_its_map():
    plain = same_head(CLASSES, "none", backbone="resnet18")
    words = ModelWords(NAMES, 64)
    aware = bind("model", "saliency_net[backbone=resnet18]")(words)
    shapes = {name: part.shape for name, part in aware.state_dict().items()}
    own = {name: part.shape for name, part in plain.state_dict().items()}
    assert {name: shapes[name] for name in own} == own
    assert all(name.startswith("mask_head") for name in set(shapes) - set(own))
    assert "saliency" not in plain.abilities
    assert [part.shape for part in make_head(512, 1024, CLASSES).parameters()] == [
        part.shape for part in plain.head.parameters()
    ]


@pytest.mark.parametrize(
    "network",
    [
        *("saliency_net", "saliency_net[mask_head=attention]", "saliency_net[mask_head=unet]"),
        *("abn", "guided", "softcam"),
    ],
)
def test_embeddings_are_what_the_classification_head_s_last_layer_sees(network):
    torch.manual_seed(0)
    name, _, options = network.removesuffix("]").partition("[")
    spec = f"{name}[backbone=resnet18{',' if options else ''}{options}]"
    model = bind("model", spec)(ModelWords(NAMES, 64)).eval()
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        embedded, logits = model.embed(images), model.outputs(images).logits
        *_, last = (part for part in model.head.modules() if not list(part.children()))
        weight = last.weight.flatten(1)
        torch.testing.assert_close(embedded @ weight.T + last.bias, logits)


def two_headed(unlabeled="none"):
    model = SaliencyNet(
        trunk(), SkipDecoder(CHANNELS, 1), channels=6, classes=CLASSES, loss="dice", weight=0.5,
        unlabeled=unlabeled,
    ).train()  # fmt: skip
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
    return model


def test_the_decoder_runs_on_masked_images_alone_and_learns_the_same():
    batch, model = batch_of([False, True, False, True]), two_headed()
    found, reference = gradients(model, batch), copy.deepcopy(model)
    reference.zero_grad()
    outputs = reference.outputs(batch.images, saliency=True)
    localized = LOSSES["dice"](outputs.saliency[1::2], (batch.masks[1::2] > 0).float(), None)
    (functional.cross_entropy(outputs.logits, batch.labels) + 0.5 * localized.mean()).backward()
    for name, parameter in reference.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, msg=name)


def test_how_many_images_the_decoder_runs_on():
    for masked, unlabeled, expected in (
        ([True, False, True, False], "none", 2),
        ([False] * 4, "none", 1),
        ([True, False, True, False], "consistency", 4),
    ):
        model, sizes = two_headed(unlabeled), []
        model.mask_head.register_forward_hook(lambda _head, _given, maps, to=sizes: to.append(maps))
        gradients(model, batch_of(masked))
        assert len(sizes[0]) == expected, (masked, unlabeled)
