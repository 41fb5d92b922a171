import re

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.swin_transformer import SwinTransformer

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier
from xaibench.core.networks.known_layers import known_layer
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.layer_names import full_name
from xaibench.core.passes.layers import check_layer, find_cam_layer, spatial_layers
from xaibench.core.passes.tape import Tape

CLASSES = 3


def small_vit():
    network = torchvision.models.VisionTransformer(
        image_size=64, patch_size=16, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64,
        num_classes=CLASSES,
    )  # fmt: skip
    nn.init.normal_(network.heads[-1].weight)
    return network


def small_swin():
    return SwinTransformer(
        patch_size=[4, 4], embed_dim=16, depths=[2, 2], num_heads=[2, 2], window_size=[4, 4],
        num_classes=CLASSES,
    )  # fmt: skip


NETWORKS = {
    "resnet18": (lambda: torchvision.models.resnet18(num_classes=CLASSES), (64, 96)),
    "squeezenet1_1": (lambda: torchvision.models.squeezenet1_1(num_classes=CLASSES), (64, 96)),
    "mobilenet_v3_small": (
        lambda: torchvision.models.mobilenet_v3_small(num_classes=CLASSES), (64, 96),
    ),
    "vit": (small_vit, (64, 64)),
    "swin": (small_swin, (32, 48)),
}  # fmt: skip


def build(kind):
    torch.manual_seed(0)
    make, size = NETWORKS[kind]
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    return make().eval(), images


def gradients(network, images, layer):
    model = Classifier(network, cam_layer=layer).eval()
    tape = Tape(Engine(model), images, {"activations", "gradients"})
    return tape.activations, tape.gradients(torch.arange(2), torch.tensor([0, 2]))


@pytest.mark.parametrize(
    ("kind", "layer"), [("resnet18", "layer4"), ("mobilenet_v3_small", "features")]
)
def test_the_last_spatial_layer_of_a_convolutional_network(kind, layer):
    assert find_cam_layer(*build(kind)) == layer


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("resnet18", (512, 2, 3)),
        ("squeezenet1_1", (512, 3, 5)),
        ("mobilenet_v3_small", (576, 2, 3)),
        ("vit", (32, 4, 4)),
        ("swin", (32, 4, 6)),
    ],
)
def test_the_layer_found_is_spatial_and_its_positions_get_gradients(kind, shape):
    network, images = build(kind)
    activations, gradient = gradients(network, images, find_cam_layer(network, images))
    assert activations.shape == gradient.shape == (2, *shape)
    assert ((gradient.abs().sum(dim=1) > 0).sum(dim=(1, 2)) > 1).all()


def test_a_transformer_is_read_before_its_last_attention():
    network, images = build("vit")
    assert find_cam_layer(network, images) == "encoder.layers.encoder_layer_1.ln_1"
    with pytest.raises(XaibenchError, match="fewer than two positions"):
        gradients(network, images, "encoder.layers.encoder_layer_1.mlp")


@pytest.mark.parametrize("layer", ["features", "norm", "permute"])
def test_channels_last_and_channels_first_give_the_same_activations(layer):
    network, images = build("swin")
    activations, gradient = gradients(network, images, layer)
    with torch.no_grad():
        raw = network.features((images - Classifier(network, cam_layer=None).mean)
                               / Classifier(network, cam_layer=None).std)  # fmt: skip
        expected = raw if layer == "features" else network.norm(raw)
    torch.testing.assert_close(activations, expected.permute(0, 3, 1, 2))
    assert gradient.shape == (2, 32, 4, 6)


@pytest.mark.parametrize("kind", NETWORKS)
def test_finding_a_layer_leaves_no_trace(kind):
    network, images = build(kind)
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    find_cam_layer(network, images)
    assert all(part.training for part in network.modules())
    assert not any(part._forward_hooks for part in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not images.requires_grad


@pytest.mark.parametrize("kind", NETWORKS)
def test_any_network_is_explained_at_the_size_of_the_image(kind):
    network, images = build(kind)
    maps = xaibench.explain(network, images, targets=[0, 2], methods=["gradcam"])["gradcam"]
    assert maps.shape == (2, *images.shape[2:])
    assert maps.dtype == torch.float32
    assert maps.min() == 0
    assert maps.max() == 1


def test_a_network_without_positions_is_refused():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 12, 5), nn.Linear(5, CLASSES))
    with pytest.raises(XaibenchError, match="no layer has a map"):
        find_cam_layer(network, torch.rand(2, 3, 8, 12))


def with_classes(name):
    second = {"aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, num_classes=CLASSES, **second)


# RegNets compute their widths with tensors, which are empty on the meta device.
META = [n for n in torchvision.models.list_models(module=torchvision.models) if "regnet" not in n]
FAMILIES = {re.match("[a-z]+", name)[0]: name for name in reversed(META)}


@pytest.mark.parametrize(
    "name",
    [name if name in FAMILIES.values() else pytest.param(name, marks=pytest.mark.slow)
     for name in META],
)  # fmt: skip
def test_every_classification_network_of_torchvision_has_its_layer(name):
    with torch.device("meta"):
        network = with_classes(name)
    network.get_submodule(known_layer(network))


SMALLEST = {
    "alexnet": (128, 160),
    "convnext_tiny": (64, 96),
    "densenet121": (64, 96),
    "efficientnet_b0": (64, 96),
    "efficientnet_v2_s": (64, 96),
    "googlenet": (64, 96),
    "inception_v3": (160, 192),
    "maxvit_t": (224, 224),
    "mnasnet0_5": (64, 96),
    "mobilenet_v2": (64, 96),
    "mobilenet_v3_small": (64, 96),
    "regnet_y_400mf": (64, 96),
    "resnext50_32x4d": (64, 96),
    "shufflenet_v2_x0_5": (64, 96),
    "squeezenet1_1": (64, 96),
    "swin_t": (64, 96),
    "swin_v2_t": (64, 96),
    "vgg11": (64, 96),
    "vit_b_32": (224, 224),
}


LARGE = {"alexnet", "convnext_tiny", "densenet121", "efficientnet_v2_s", "googlenet",
         "inception_v3", "maxvit_t", "resnext50_32x4d", "swin_t", "swin_v2_t", "vgg11",
         "vit_b_32"}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.full if name in LARGE else ()) for name in SMALLEST],
)
def test_the_layer_of_each_family_is_spatial_and_its_positions_count(name):
    torch.manual_seed(0)
    network = with_classes(name).eval()
    last = [p for p in network.modules() if isinstance(p, nn.Linear | nn.Conv2d)][-1]
    nn.init.normal_(last.weight, std=0.1)  # a fresh head may be zero
    images = torch.rand(2, 3, *SMALLEST[name], generator=torch.Generator().manual_seed(1))
    activations, gradient = gradients(network, images, known_layer(network))
    assert min(activations.shape[2:]) > 1
    assert ((gradient.abs().sum(dim=1) > 0).sum(dim=(1, 2)) > 1).all()


def test_swin_is_read_behind_its_last_attention_and_v2_at_its_last_block():
    assert known_layer(small_swin()) == "features.3.1.norm2"
    with torch.device("meta"):
        assert known_layer(torchvision.models.swin_v2_t()) == "features.7.1"


def test_a_rebuilt_or_foreign_network_is_searched():
    network = torchvision.models.resnet18(num_classes=CLASSES)
    del network.layer4
    assert known_layer(network) is None
    assert known_layer(nn.Sequential(nn.Conv2d(3, 4, 3))) is None
    renamed = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                            nn.Linear(4, CLASSES)).eval()  # fmt: skip
    assert find_cam_layer(renamed, torch.rand(2, 3, 16, 24)) == "1"
    found = [layer.name for layer in spatial_layers(renamed, torch.rand(2, 3, 16, 24))]
    assert found == ["1", "0"]


def test_users_may_leave_out_the_wrappers_name():
    model = Classifier(torchvision.models.resnet18(num_classes=CLASSES), cam_layer=None)
    for name in ("layer3.1", "network.layer3.1"):
        assert full_name(model, name) == "network.layer3.1"
    with pytest.raises(XaibenchError, match="no layer 'layer9'"):
        full_name(model, "layer9")


class TwoHeads(nn.Module):
    """A second head, for boxes, runs last; the logits never see its branch."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=4)
        self.a, self.b = nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3)
        self.fc, self.box = nn.Linear(8, CLASSES), nn.Linear(8, 4)

    def forward(self, images):
        found = self.stem(images)
        logits = self.fc(self.a(found).mean(dim=(2, 3)))
        return logits, self.box(self.b(found).mean(dim=(2, 3)))


def test_another_head_does_not_lead_to_its_own_branch():
    images = torch.rand(1, 3, 48, 64)
    network = Classifier(TwoHeads(), cam_layer=None, output=0)
    assert find_cam_layer(network, images) == "network.a"
    assert check_layer(network, images, "network.a").name == "network.a"
    with pytest.raises(XaibenchError, match="don't depend on layer 'b'"):
        check_layer(network, images, "network.b")
