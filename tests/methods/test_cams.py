"""CAMs against pytorch-grad-cam, and against double precision where the library differs."""

import copy

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from nets import IMAGES, SEEDS, TARGETS, build, close, raw_maps, stretched
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget, FinerWeightedTarget
from pytorch_grad_cam.utils.svd_on_activations import (
    get_2d_projection,
    get_2d_projection_with_sign_correction,
)
from torch import nn

from xaibench import Explainer
from xaibench.core.cam import principal_map
from xaibench.core.errors import XaibenchError
from xaibench.core.seeds import BatchGenerator
from xaibench.methods.layercam import layercam

# All but SqueezeNet's have both signs; gradients vary over the places, but not in MobileNet.
LAYERS = {
    "resnet18": "layer3.1.conv2",
    "squeezenet1_1": "features",
    "mobilenet_v3_small": "features",
    "small": "features",
}
every_kind = pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.slow if kind == "resnet18" else ()) for kind in LAYERS],
)


class Scaled(nn.Module):
    """Large logits, beside which the small numbers that the library adds are nothing."""

    def __init__(self, network, factor=1e6):
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, images):
        return self.factor * self.network(images)


def double(network, layer, images=IMAGES, targets=TARGETS):
    """Activations and gradients by plain autograd; the network must not work in place."""
    network, kept = copy.deepcopy(network).double(), []
    network.get_submodule(layer).register_forward_hook(lambda _, __, output: kept.append(output))
    logits = network(images.double())
    (gradients,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), kept[0])
    return kept[0].detach(), gradients


def library_maps(name, network, layer, targets=TARGETS):
    if not callable(targets[0]):
        targets = [ClassifierOutputTarget(int(target)) for target in targets]
    with getattr(pytorch_grad_cam, name)(network, [network.get_submodule(layer)]) as peer:
        return torch.from_numpy(peer(IMAGES, targets))


@pytest.mark.slow
@every_kind
def test_gradient_cams_equal_the_librarys(kind):
    ours, theirs = Scaled(build(kind)), Scaled(build(kind, inplace=False))
    layer = f"network.{LAYERS[kind]}"
    specs = ["gradcam", "hirescam", "xgradcam", "layercam", "gradcam_pp"]
    found = Explainer(ours, layer=layer, fold=False)(IMAGES, TARGETS, specs)
    for spec, name in zip(
        specs, ["GradCAM", "HiResCAM", "XGradCAM", "LayerCAM", "GradCAMPlusPlus"], strict=True
    ):
        close(found[spec], library_maps(name, theirs, layer))


@pytest.mark.slow
@every_kind
def test_gradcam_pp_follows_the_formula_without_a_small_number_in_the_denominator(kind):
    activations, gradients = double(build(kind, inplace=False), LAYERS[kind])
    total = activations.sum(dim=(2, 3), keepdim=True)
    alpha = gradients**2 / (2 * gradients**2 + total * gradients**3)
    weights = torch.where(gradients > 0, alpha * gradients, 0.0).sum(dim=(2, 3), keepdim=True)
    close(
        stretched(raw_maps(build(kind), "gradcam_pp", LAYERS[kind])),
        stretched((weights * activations).sum(dim=1)),
    )


@pytest.mark.parametrize("shape", [(512, 3, 5), (12, 16, 24)])
def test_the_principal_map_is_the_librarys_up_to_its_sign_which_no_sign_of_the_features_turns(
    shape,
):
    features = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0)) + 1
    ours = principal_map(features)
    theirs = torch.from_numpy(get_2d_projection(features.numpy()))
    sign = (ours * theirs).sum(dim=(1, 2)).sign()[:, None, None]
    size = float(ours.abs().max())
    close(ours / size, sign * theirs / size)
    assert torch.equal(ours, principal_map(-features))
    assert torch.equal(ours.amax(dim=(1, 2)), ours.abs().amax(dim=(1, 2)))


def test_features_that_are_not_finite_spoil_their_own_image_only():
    features = torch.randn(3, 12, 4, 6, generator=torch.Generator().manual_seed(0))
    expected = principal_map(features)
    features[1, 2, 3, 4] = torch.inf
    found = principal_map(features)
    assert found[1].isnan().all()
    assert torch.equal(found[::2], expected[::2])


@pytest.mark.slow
@every_kind
def test_eigencams_equal_the_librarys_projection_with_the_sign_rule_that_both_have(kind):
    activations, gradients = (
        values.numpy() for values in double(build(kind, inplace=False), LAYERS[kind])
    )
    for spec, features in ("eigencam", activations), ("eigengradcam", activations * gradients):
        found = Explainer(build(kind), layer=LAYERS[kind], fold=False)(IMAGES, TARGETS, spec)
        projected = get_2d_projection_with_sign_correction(features)
        close(found[spec], stretched(np.maximum(projected, 0)), atol=3e-5)


@pytest.mark.slow
def test_at_the_last_layer_before_pooling_and_one_layer_the_simple_cams_are_one():
    network = build("resnet18")
    activations, _ = double(build("resnet18", inplace=False), "layer4")
    weights = network.fc.weight.detach().double()[TARGETS]
    expected = torch.einsum("bd,bdhw->bhw", weights, activations)
    close(raw_maps(network, "cam", "layer4"), expected)
    places = activations[0, 0].numel()
    for spec in "gradcam", "xgradcam", "hirescam":
        close(places * raw_maps(network, spec, "layer4"), expected.relu())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["squeezenet1_1", "mobilenet_v3_small", "small"])
def test_cam_is_refused_where_no_single_linear_layer_follows_the_pooling(kind):
    with pytest.raises(XaibenchError, match="cam needs class_weights"):
        Explainer(build(kind), layer=LAYERS[kind])(IMAGES, TARGETS, "cam")


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "classes"), [(1.0, 3), (0.6, 2), (0.5, 1)])
def test_finercam_is_gradcam_of_the_difference_to_the_nearest_classes_with_weights_held_fixed(
    alpha, classes
):
    network = build("squeezenet1_1", inplace=False, classes=6)

    class Fixed(FinerWeightedTarget):
        def __call__(self, logits):
            shares = logits.detach().softmax(dim=0)[self.comparison_categories]
            others = logits[self.comparison_categories]
            return logits[self.main_category] - alpha * (shares * others).sum() / shares.sum()

    wanted = []
    for logits, target in zip(network(IMAGES).tolist(), TARGETS.tolist(), strict=True):
        others = sorted(set(range(6)) - {target}, key=lambda c: abs(logits[c] - logits[target]))
        wanted.append(Fixed(target, others[:classes], alpha))
    spec = f"finercam[alpha={alpha},classes={classes}]"
    found = raw_maps(network, spec, "features")
    # Differences of classes are small; beside them the library's 1e-7 is not.
    theirs = library_maps(
        "GradCAM", network, "features", [lambda y, w=w: 1e4 * w(y) for w in wanted]
    )
    close(stretched(found), theirs)
    assert float((stretched(raw_maps(network, "gradcam", "features")) - theirs).abs().max()) > 0.1


def test_finercam_of_two_classes_equals_the_librarys_as_the_weight_cancels():
    network = Scaled(build("squeezenet1_1", inplace=False, classes=2), 1e2)
    targets = torch.tensor([1, 0, 1])
    found = Explainer(network, layer="network.features", fold=False)(IMAGES, targets, "finercam")
    wanted = [FinerWeightedTarget(int(target), [1 - int(target)], 1.0) for target in targets]
    close(found["finercam"], library_maps("FinerCAM", network, "network.features", wanted))


def test_layercam_drops_places_where_activations_speak_against_the_class():
    ones = torch.ones(1, 2, 3, 4)
    assert not layercam(-ones, ones).any()


@pytest.mark.parametrize("spec", ["gradcam_pp", "smooth_gradcam_pp[samples=3]"])
def test_powers_of_tiny_gradients_do_not_underflow(spec):
    network = build("squeezenet1_1").float()
    layer = network.classifier[1]
    images = IMAGES.float()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(1e-9)  # an exponential score is then as good as linear
        some = stretched(raw_maps(network, spec, "features", images=images))
        for parameter in layer.parameters():
            parameter.mul_(1e-16)
    tiny = raw_maps(network, spec, "features", images=images) * 1e16
    torch.testing.assert_close(stretched(tiny), some, rtol=0, atol=1e-4)


def test_smooth_gradcam_pp_without_noise_is_gradcam_pp():
    network, spec = build("squeezenet1_1"), "smooth_gradcam_pp[noise=0,samples=3]"
    plain, smooth = (raw_maps(network, name, "features") for name in ("gradcam_pp", spec))
    close(smooth / plain.max(), plain / plain.max())


@pytest.mark.slow
def test_smooth_gradcam_pp_averages_each_power_over_noisy_copies():
    network, layer = build("resnet18", inplace=False), "layer3.1.conv2"
    expected = []
    for row, (image, target) in enumerate(zip(IMAGES, TARGETS, strict=True)):
        drawn = BatchGenerator(SEEDS).normal_copies(row, 0, 6, 3, 64, 96)
        copies = image + 0.2 * (image.max() - image.min()) * drawn
        gradients = double(network, layer, copies, target.expand(6))[1]
        g, g2, g3 = ((gradients**power).mean(dim=0) for power in (1, 2, 3))
        maps = double(network, layer, image[None], target[None])[0][0]
        denominator = 2 * g2 + g3 * maps.sum(dim=(1, 2), keepdim=True)
        alpha = torch.where(g2 > 0, g2 / denominator, 0.0)
        expected.append(((alpha * g.relu()).sum(dim=(1, 2), keepdim=True) * maps).sum(dim=0))
    found = raw_maps(network, "smooth_gradcam_pp[samples=6,noise=0.2]", layer)
    close(stretched(found), stretched(torch.stack(expected)))
