import pytest
import torch
from torch import nn
from torch.nn import functional
from training_data import NAMES, batch_of, gradients

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.bcos import BcosLayer, Gated, Switch, Uncentered, both_signs, settle
from xaibench.models.bcos import BcosNetwork, bcos

CLASSES = len(NAMES)


def build():
    torch.manual_seed(0)
    trunk = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.Hardswish(),
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), nn.BatchNorm2d(6), nn.ReLU(),
    )  # fmt: skip
    model = BcosNetwork(trunk, channels=6, classes=CLASSES, power=2.0)
    settle(model.trunk, both_signs(batch_of([False] * 2).images))
    return model.eval()


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_a_layer_is_the_product_with_the_cosine(power):
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2)
    weights, images = plain.weight.detach().clone(), torch.randn(2, 4, 7, 9)
    found = BcosLayer(plain, power, Switch())(images)
    patches = functional.unfold(images, (3, 2), padding=1, stride=2)  # (B, 4 * 6, positions)
    for output in range(6):
        seen = patches.unflatten(1, (2, 12))[:, output // 3]
        weight = weights[output].flatten()
        product = torch.einsum("bnp,n->bp", seen, weight)
        cosine = product / (seen.norm(dim=1) * weight.norm())
        expected = product * cosine.abs() ** (power - 1)
        torch.testing.assert_close(found[:, output].flatten(1), expected, rtol=1e-4, atol=1e-5)


def test_a_linear_layer_is_the_same():
    plain, inputs = nn.Linear(5, 3), torch.randn(4, 5)
    product = inputs @ plain.weight.T
    cosine = functional.cosine_similarity(inputs[:, None], plain.weight[None], dim=2)
    found = BcosLayer(plain, 2.0, Switch())(inputs)
    torch.testing.assert_close(found, product * cosine.abs(), rtol=1e-4, atol=1e-5)


def test_what_pixels_add_is_the_logit_and_the_product_of_all_layers():
    model, images = build(), batch_of([False] * 2).images
    outputs = model.outputs(images, saliency=True)
    assert outputs.evidence.shape == (2, CLASSES, 40, 56)
    torch.testing.assert_close(outputs.evidence.mean(dim=(2, 3)), outputs.logits)
    # The same by matrices: with all factors fixed the network is a linear function.
    pixels = both_signs(images)
    with model._switch.on():
        slopes = torch.autograd.functional.jacobian(lambda x: model._score(x).sum(dim=0), pixels)
    by_hand = (slopes * pixels).sum(dim=2).movedim(0, 1) * (40 * 56)
    torch.testing.assert_close(outputs.evidence, by_hand)
    assert model.outputs(images).evidence is None


def test_norms_subtract_nothing_and_activations_are_factors():
    norm = Uncentered(nn.BatchNorm2d(3), Switch())
    inputs = torch.randn(4, 3, 5, 6) + 2
    expected = inputs / (inputs.square().mean(dim=(0, 2, 3)) + 1e-5).sqrt()[:, None, None]
    torch.testing.assert_close(norm(inputs), expected)
    switch = Switch()
    with switch.on():
        for activation in (nn.Hardswish(), nn.SiLU(), nn.ReLU6()):
            given = (8 * torch.randn(50)).requires_grad_()
            answer = Gated(activation, switch)(given)
            torch.testing.assert_close(answer, activation(given))
            (slope,) = torch.autograd.grad(answer.sum(), given)
            torch.testing.assert_close(slope * given, activation(given))


def test_all_layers_learn_from_labels():
    model = build().train()
    found = gradients(model, batch_of([True, False]))
    assert all(each.abs().sum() > 0 for each in found.values())
    masked, bare = batch_of([True, True]), batch_of([False, False])
    torch.testing.assert_close(model.loss(masked)["loss"], model.loss(bare)["loss"])


def test_networks_that_are_no_sum_over_pixels_are_refused():
    with pytest.raises(XaibenchError, match="not all of its layers can be made a sum over pixels"):
        bcos(2, "none", backbone="timm/convnext_atto")
    with pytest.raises(XaibenchError, match="at least 1"):
        bcos(2, "none", backbone="resnet18", power=0.5)
