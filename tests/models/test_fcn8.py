import pytest
import torch
from torch import nn
from torch.nn import functional
from training_data import NAMES, batch_of, gradients

import xaibench
from xaibench.core.data import IGNORED
from xaibench.core.errors import XaibenchError
from xaibench.core.networks.pyramid import Pyramid
from xaibench.core.networks.stages import cut_stages
from xaibench.core.registry import bind, plugins
from xaibench.models.fcn8 import FCN8, _transposed, fcn8

CLASSES = len(NAMES)


def build(*, all_masks=True, transposed=False):
    """Return a network of strides 2, 4 and 8, without running statistics."""
    torch.manual_seed(0)
    trunk = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(4, 5, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(5, 6, 3, stride=2, padding=1), nn.ReLU(),
    )  # fmt: skip
    stages, channels = cut_stages(trunk, 3)
    return FCN8(Pyramid(*stages), channels, classes=CLASSES, all_masks=all_masks,
                transposed=transposed)  # fmt: skip


def truth_of(batch, row):
    return [
        [batch.labels[row].item() + 1 if grade > 0 else 0 for grade in line]
        for line in batch.masks[row].tolist()
    ]


def test_scores_of_three_scales_are_enlarged_and_added():
    model, images = build(), batch_of([True] * 2).images
    fine = model.stages[0](model.normalize(images))
    middle = model.stages[1](fine)
    coarse = model.stages[2](middle)
    assert [each.shape[2:] for each in (fine, middle, coarse)] == [(20, 28), (10, 14), (5, 7)]

    def enlarge(scores, size):
        return functional.interpolate(scores, size, mode="bilinear", align_corners=False)

    total = enlarge(model.scorers[2](coarse), (10, 14)) + model.scorers[1](middle)
    total = enlarge(enlarge(total, (20, 28)) + model.scorers[0](fine), (40, 56))
    outputs = model.outputs(images)
    torch.testing.assert_close(outputs.class_maps, total.softmax(dim=1))
    assert outputs.logits.shape == (2, 0)
    torch.testing.assert_close(model.embed(images), coarse.mean(dim=(2, 3)))


def test_transposed_convolutions_start_bilinearly_and_learn():
    torch.manual_seed(0)
    layer = _transposed(3, 2)
    scores = torch.randn(2, 3, 5, 7)
    wanted = functional.interpolate(scores, (10, 14), mode="bilinear", align_corners=False)
    # At the border interpolation repeats the last pixel, and a convolution sees zeros.
    torch.testing.assert_close(layer(scores)[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1])
    model = build(transposed=True)
    assert len(model.enlargers) == 3
    batch = batch_of([True] * 2)
    assert model.outputs(batch.images).class_maps.shape == (2, 1 + CLASSES, 40, 56)
    model.loss(batch)["loss"].backward()
    assert all(layer.weight.grad.abs().sum() > 0 for layer in model.enlargers)
    assert {id(each) for each in model.enlargers.parameters()} <= {
        id(each) for each in model.new_parameters()
    }


def test_loss_is_the_pixels_cross_entropy_on_the_masked_images():
    model, batch = build(), batch_of([False, True, False, True])
    found = model.loss(batch)
    maps = model.outputs(batch.images).class_maps
    entropy, right = [], []
    for row in (1, 3):
        truth = torch.tensor(truth_of(batch, row))
        assert set(truth.unique().tolist()) == {0, batch.labels[row].item() + 1}
        entropy.append(-maps[row].gather(0, truth[None]).log().mean())
        right.append((maps[row].argmax(dim=0) == truth).float().mean())
    torch.testing.assert_close(found["loss"], (entropy[0] + entropy[1]) / 2)
    torch.testing.assert_close(found["pixel_accuracy"], (right[0] + right[1]) / 2)
    assert not found["pixel_accuracy"].requires_grad


def test_unmasked_images_teach_nothing_and_every_parameter_takes_part():
    some = gradients(build(), batch_of([True, False, False, False]))
    alone = gradients(build(), batch_of([True]))
    none = gradients(build(), batch_of([False] * 4))
    for name, value in alone.items():
        assert value.any()
        torch.testing.assert_close(some[name], value)
        assert not none[name].any()
    found = build().loss(batch_of([False] * 4))
    assert found["loss"] == 0
    assert found["pixel_accuracy"].isnan()  # unknown, and not nothing


def test_averaged_gradients_of_two_halves_equal_those_of_the_whole():
    model = build()
    whole = gradients(model, batch_of([True] * 3))
    first = gradients(model, batch_of([True, False, False], counted=3 / 2))
    second = gradients(model, batch_of([False, True, True], counted=3 / 2))
    for name, value in whole.items():
        torch.testing.assert_close((first[name] + second[name]) / 2, value)


def test_class_weights_weigh_images():
    model = build()
    each = [model.loss(batch_of([row == 0, row == 1]))["loss"] for row in range(2)]
    weighed = model.loss(batch_of([True] * 2, weights=torch.tensor([0.9, 0.3, 5.0])))
    torch.testing.assert_close(weighed["loss"], (0.9 * each[0] + 0.3 * each[1]) / 2)


@pytest.mark.slow
def test_it_learns_to_mark_its_class():
    model, batch = build(), batch_of([True] * 3)
    optimizer = torch.optim.Adam(model.parameters(), 0.03)
    batch.images = 0.2 * batch.images
    for row, label in enumerate(batch.labels):
        batch.images[row, label] += 0.7 * (batch.masks[row] > 0)
    for _ in range(100):
        optimizer.zero_grad()
        model.loss(batch)["loss"].backward()
        optimizer.step()
    assert model.loss(batch)["pixel_accuracy"] > 0.9  # background alone: 0.73
    most = model.outputs(batch.images).class_maps.argmax(dim=1)
    assert [most[row, 6 + row, 28].item() for row in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("backbone", ["mobilenet_v3_small", "resnet18"])
def test_backbones_of_torchvision(backbone):
    bound = bind("model", f"fcn8[backbone={backbone},masks=budget]")
    model = bound.plugin.function(CLASSES, "none", **bound.options).eval()
    with torch.no_grad():
        maps = model.outputs(torch.rand(2, 3, 48, 80)).class_maps
    assert maps.shape == (2, 1 + CLASSES, 48, 80)
    assert not model.all_masks
    assert (model.abilities, model.cam_layer) == ({"class_maps"}, None)


def test_vgg16_with_all_masks_is_the_default():
    options = plugins("model")["fcn8"].signature.options
    assert (options["backbone"].default, options["masks"].default) == ("vgg16", "all")
    model = fcn8(CLASSES, "none", backbone="resnet18")
    assert model.all_masks
    assert {id(p) for p in model.new_parameters()} == {id(p) for p in model.scorers.parameters()}


def test_without_a_mask_to_see_it_is_not_trained(tmp_path):
    spec = "fcn8[backbone=squeezenet1_1,masks=budget]"
    with pytest.raises(XaibenchError, match="raise --mask-fraction"):
        xaibench.run(
            dataset="phantom[images=24]", models=[spec], methods=["segmentation"], metrics=["iou"],
            mask_fraction=0.1, image_size=64, epochs=1, device="cpu", out=str(tmp_path),
        )  # fmt: skip


def test_pixels_that_annotators_left_open_are_neither_class_nor_background():
    model, batch = build(), batch_of([True, True])
    batch.masks[:, 5:12, 8:30] = IGNORED
    scores = model.score(batch.images)
    truth = torch.where(batch.masks > 0, batch.labels[:, None, None] + 1, 0)
    truth[batch.masks == IGNORED] = -100
    each = [functional.cross_entropy(s[None], t[None]) for s, t in zip(scores, truth, strict=True)]
    found = model.loss(batch)
    torch.testing.assert_close(found["loss"], torch.stack(each).mean())
    batch.masks[0] = IGNORED
    assert model.loss(batch)["loss"].isfinite()
