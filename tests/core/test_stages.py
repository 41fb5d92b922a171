import pytest
import torch
from torch import nn
from torchvision.models import vgg

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.backbone import build_network, cut_trunk
from xaibench.core.networks.stages import cut_stages

STRIDES = (8, 16, 32)


def trunk_of(name):
    torch.manual_seed(0)
    if name == "vgg11":  # without its head, which takes seconds
        return nn.Sequential(vgg.make_layers(vgg.cfgs["A"])).eval()
    return cut_trunk(build_network(name, 2, "none")).eval()


@pytest.mark.parametrize("name", ["vgg11", "resnet18", "mobilenet_v3_small"])
def test_stages_one_behind_the_other_are_the_trunk(name):
    trunk, images = trunk_of(name), torch.rand(2, 3, 64, 96)
    stages, channels = cut_stages(trunk, 3)
    with torch.no_grad():
        seen = images
        for stage, stride, width in zip(stages, STRIDES, channels, strict=True):
            seen = stage(seen)
            assert seen.shape == (2, width, 64 // stride, 96 // stride)
        assert torch.equal(seen, trunk(images))


def test_vgg_is_scored_behind_its_poolings_as_in_the_paper():
    stages, channels = cut_stages(trunk_of("vgg11"), 3)
    assert [type(stage[-1]) for stage in stages] == [nn.MaxPool2d] * 3
    assert channels == [256, 512, 512]


def test_residual_networks_are_scored_at_the_end_of_each_layer():
    trunk = trunk_of("resnet18")
    ends = [stage[-1] for stage in cut_stages(trunk, 3)[0]]
    assert ends == [trunk.layer2[-1], trunk.layer3[-1], trunk.layer4[-1]]


def test_a_trunk_that_shrinks_too_seldom_is_refused():
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 3, stride=2))
    assert cut_stages(trunk, 2)[1] == [4, 4]
    with pytest.raises(XaibenchError, match="has 2 resolutions, and 3 are needed; take another"):
        cut_stages(trunk, 3)
