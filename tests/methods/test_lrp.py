"""LRP through residual networks: relevance is kept, and zennit's own canonizer agrees."""

import pytest
import timm
import torch
import torchvision
from nets import IMAGES, TARGETS, build, close, raw_maps
from torch import nn
from zennit.attribution import Gradient
from zennit.composites import EpsilonPlusFlat
from zennit.torchvision import ResNetCanonizer

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind


def residual(kind):
    if kind == "timm":
        block = timm.models.resnet.BasicBlock
        return timm.models.ResNet(block, [1] * 4, 4, channels=(8, 8, 8, 8), stem_width=8)
    return torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1] * 4, 4)


def without_biases(network):
    for part in network.double().eval().modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_var.uniform_(0.5, 2)
        if getattr(part, "bias", None) is not None:
            nn.init.zeros_(part.bias)
    return network


@pytest.mark.parametrize("kind", ["timm", "torchvision"])
def test_without_biases_no_relevance_is_lost(kind):
    torch.manual_seed(0)
    network = without_biases(residual(kind))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    found = raw_maps(network, "lrp[part=signed]")
    torch.testing.assert_close(found.sum(dim=(1, 2)), found.new_ones(3), rtol=0, atol=1e-3)
    changed = [key for key, value in network.state_dict().items() if not value.equal(before[key])]
    assert not changed


@pytest.mark.slow
def test_a_resnets_relevance_is_what_zennits_own_canonizer_gives():
    torch.manual_seed(0)
    network = residual("torchvision").double()
    with torch.no_grad():
        network.train()(IMAGES)
    network.eval()
    found = raw_maps(network, "lrp[part=signed]")
    composite = EpsilonPlusFlat(canonizers=[ResNetCanonizer()])
    with Gradient(model=network, composite=composite) as attributor:
        _, theirs = attributor(IMAGES, torch.eye(4).double()[TARGETS])
    close(found, theirs.sum(dim=1), atol=1e-6)


def test_what_has_no_rule_is_skipped_with_the_reason():
    gated = timm.create_model("test_efficientnet", num_classes=4).double().eval()
    cases = {
        "no rule for .*BatchNormAct2d": gated,
        "convolutions before them; one has none": torchvision.models.densenet._densenet(
            4, (2, 2), 8, None, progress=False, num_classes=4
        )
        .double()
        .eval(),
        "the class's own logit": build("small", classes=1),
    }
    for said, network in cases.items():
        with pytest.raises(XaibenchError, match=said):
            xaibench.explain(network, IMAGES, 1, "lrp")
    assert bind("method", "lrp").plugin.traits.title == "LRP"
