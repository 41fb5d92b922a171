"""One logit, or probabilities, in place of logits: every method and metric on small networks."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import xaibench
from xaibench import Explainer, XaibenchError, explain, score
from xaibench.core.contract import (
    ATTENTION,
    ATTENTION_WORDS,
    CLASS_WORDS,
    MASK_WORDS,
    OWN_WORDS,
    TRAINING_WORDS,
)
from xaibench.core.registry import bind, plugins

HEIGHT, WIDTH = 40, 56
SPECS = {
    "rise": "rise[masks=40]", "kernel_shap": "kernel_shap[segments=6,samples=64]",
    "occlusion": "occlusion[window=14]", "smoothgrad": "smoothgrad[samples=3]",
    "gradient_shap": "gradient_shap[samples=3]",
    "integrated_gradients": "integrated_gradients[steps=5]",
    "smooth_gradcam_pp": "smooth_gradcam_pp[samples=2]",
    "opticam": "opticam[steps=3]",  # each step makes more of a difference in the last digit
}  # fmt: skip
NEEDS_MORE = OWN_WORDS | MASK_WORDS | ATTENTION_WORDS | TRAINING_WORDS | {ATTENTION}
EXPLAINING = sorted(
    SPECS.get(name, name)
    for name, plugin in plugins("method").items()
    if CLASS_WORDS & set(plugin.signature.words)
    and not NEEDS_MORE & set(plugin.asked)
    # Rules divide by the logit, so that its sign is lost; lrp refuses it.
    and name not in ("zennit_lib", "lrp")
)
BY_CONFIDENCE = ["drop_in_confidence", "increase_in_confidence", "insertion", "deletion", "road",
                 "infidelity"]  # fmt: skip


def network(classes):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes),
    )  # fmt: skip
    with torch.no_grad():
        net[-1].weight.mul_(8)
        for _ in range(3):
            net(torch.rand(8, 3, HEIGHT, WIDTH))
    return net.eval()


def with_first(one, factor):
    """The network of one logit z, with the two logits (factor * z, z)."""
    two, head = copy.deepcopy(one), one[-1]
    two[-1] = nn.Linear(8, 2)
    with torch.no_grad():
        two[-1].weight.copy_(torch.cat([factor * head.weight, head.weight]))
        two[-1].bias.copy_(torch.cat([factor * head.bias, head.bias]))
    return two


@pytest.fixture(scope="module")
def one():
    return network(1)


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))


def agree(ours, theirs, tolerance=1e-4):
    return {k: d for k, m in ours.items() if (d := float((m - theirs[k]).abs().max())) > tolerance}


@pytest.mark.slow
@pytest.mark.parametrize("targets", [0, [1, 0]], ids=str)
def test_class_1_is_explained_by_the_logit_and_class_0_by_its_negative(one, images, targets):
    methods = [spec for spec in EXPLAINING if not spec.startswith("rise")]
    assert {"gradcam", "gradcam_pp", "scorecam", "finercam", "deeplift"} < set(methods)
    ours = explain(one, images, targets, methods)
    assert agree(ours, explain(with_first(one, -1), images, targets, methods)) == {}
    assert sum(bool(maps.any()) for maps in ours.values()) > 0.8 * len(ours)


def test_confidences_are_those_of_a_sigmoid(one, images):
    reference = with_first(one, 0)  # softmax of (0, z) is (1 - p, p)
    methods = ["rise[masks=40]"]
    for target in (0, 1):
        theirs = explain(reference, images, target, methods)
        assert agree(explain(one, images, target, methods), theirs, 1e-5) == {}
    maps, masks = theirs["rise[masks=40]"], torch.zeros(2, HEIGHT, WIDTH, dtype=torch.int8)
    masks[:, 5:20, 9:33] = 1
    for targets in (None, 0, [1, 0]):
        ours = score(maps, masks, BY_CONFIDENCE, model=one, images=images, targets=targets)
        hers = score(maps, masks, BY_CONFIDENCE, model=reference, images=images, targets=targets)
        np.testing.assert_allclose(ours["value"], hers["value"], atol=1e-5)
        assert ours["value"].nunique() > 4


def test_without_targets_the_sign_of_the_logit_decides(one, images):
    shifted = copy.deepcopy(one)
    with torch.no_grad():
        shifted[-1].bias -= one(images).mean()
        signs = (shifted(images)[:, 0] > 0).long()
    assert signs.unique().numel() == 2
    for explainer in (lambda *a: explain(shifted, *a), Explainer(shifted)):
        assert agree(explainer(images), explainer(images, signs)) == {}
    with pytest.raises(XaibenchError, match="2 classes from 0 to 1"):
        explain(shifted, images, 2)


@pytest.mark.slow
def test_a_sigmoid_at_the_end_changes_no_map_once_it_is_said(one, images):
    ended = nn.Sequential(one, nn.Sigmoid())
    methods = [spec for spec in EXPLAINING if spec != "cam"]  # no linear head any more
    with pytest.raises(XaibenchError, match="output='logits' or output='probabilities'"):
        explain(ended, images, 1)
    ours = explain(ended, images, 1, methods, output="probabilities")
    assert agree(ours, explain(one, images, 1, methods), 5e-3) == {}


@pytest.mark.parametrize("method", ["gradcam", "gradient", "deeplift", "occlusion[window=14]"])
def test_probabilities_that_are_rounded_to_1_are_told(one, images, method):
    ended = nn.Sequential(one, nn.Sigmoid())
    assert float(ended(1000 * images).min()) == 1
    with pytest.raises(XaibenchError, match="rounded to 0 or 1; let the network return its logits"):
        explain(ended, 1000 * images, 1, method, output="probabilities")
    assert explain(one, 1000 * images, 1, method)[method].any()


def test_images_that_hold_nan_are_told(one, images):
    broken = images.clone()
    broken[1, 2, 3, 4] = torch.nan
    with pytest.raises(XaibenchError, match="images hold infinite numbers or NaN"):
        explain(one, broken, 1)


@pytest.mark.slow
def test_a_softmax_at_the_end_is_explained_by_log_p(images):
    net = network(4)
    ended, logs = nn.Sequential(net, nn.Softmax(dim=1)), nn.Sequential(net, nn.LogSoftmax(dim=1))
    methods = [spec for spec in EXPLAINING if spec not in ("cam", "deeplift")]
    with pytest.raises(XaibenchError, match="DeepLIFT has no rule"):
        explain(ended, images, 2, "deeplift")
    ours, theirs = (explain(each, images, 2, methods) for each in (ended, logs))
    assert agree(ours, theirs, 5e-3) == {}
    activations = net[:5](images).double().detach()
    means = activations.mean(dim=(2, 3)).requires_grad_()
    log_p = copy.deepcopy(net[-1]).double()(means).log_softmax(dim=1)[:, 2]
    (weights,) = torch.autograd.grad(log_p.sum(), means)
    raw = torch.einsum("bd,bdhw->bhw", weights, activations).relu()[:, None]
    large = nn.functional.interpolate(raw, (HEIGHT, WIDTH), mode="bilinear")[:, 0]
    low, high = large.amin((1, 2), keepdim=True), large.amax((1, 2), keepdim=True)
    assert agree({"gradcam": ours["gradcam"]}, {"gradcam": (large - low) / (high - low)}) == {}


def test_the_confidences_of_a_softmax_are_not_softened_again(images):
    net, masks = network(4), torch.ones(2, HEIGHT, WIDTH, dtype=torch.int8)
    maps = explain(net, images, 2)["gradcam"]
    frames = [
        score(maps, masks, ["insertion", "drop_in_confidence"], model=each, images=images)
        for each in (net, nn.Sequential(net, nn.Softmax(dim=1)))
    ]
    np.testing.assert_allclose(frames[0]["value"], frames[1]["value"], atol=1e-6)


@pytest.mark.parametrize("layer", [None, "network.4"])
def test_a_chosen_output_is_explained_like_the_network_alone(images, layer):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network(3)

        def forward(self, pixels):
            seen = self.network[:7](pixels)
            return {"features": seen, "scores": self.network[7](seen).softmax(dim=1)}

    both = Both()
    with pytest.raises(XaibenchError, match=r"several things \(features: a tensor \(1, 8\)"):
        explain(both, images, 1)
    alone = nn.Sequential(both.network, nn.Softmax(dim=1))
    methods = ["gradcam", "scorecam", "rise[masks=20]"]
    expected = explain(alone, images, 1, methods, layer="0.4")
    assert agree(explain(both, images, 1, methods, output="scores", layer=layer), expected) == {}
    explainer = Explainer(both, layer=layer, output="scores")
    assert agree({"gradcam": explainer(images, 1)["gradcam"]}, expected, 1e-3) == {}


def test_method_keys_are_what_the_user_wrote(one, images):
    written = ["captum[name=IntegratedGradients]", "occlusion[ window = 14 ]", "gradcam"]
    assert list(explain(one, images, 1, written)) == written
    assert bind("method", written[0]).spec != written[0]
    assert set(xaibench.__all__) <= set(dir(xaibench))
