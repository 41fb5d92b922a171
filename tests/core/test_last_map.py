"""The layer that is found without a name, in networks that lead a simple search astray."""

import pytest
import torch
import torchvision
from small_nets import noise
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.layers import check_layer, find_cam_layer

CLASSES = 5


def trunk(width=6):
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(4, width, 3, stride=2, padding=1), nn.ReLU(),
    )  # fmt: skip


class Net(nn.Module):
    """A trunk with something between it and the pooling."""

    def __init__(self, width=6, classes=CLASSES, **parts):
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.fc = trunk(width), nn.Linear(width, classes)
        for name, part in parts.items():
            setattr(self, name, part)
        self.eval()

    def between(self, found):
        return found

    def forward(self, images):
        return self.fc(self.between(self.trunk(images)).mean(dim=(2, 3)))


class Attended(Net):
    def between(self, found):
        return found * self.attention(found)


class Branched(Net):
    def between(self, found):
        return found + self.branch(found)


class Shared(Net):
    """One activation for maps and for the embedding."""

    def forward(self, images):
        found = self.act(self.norm(self.trunk(images)))
        return self.fc(self.act(found.mean(dim=(2, 3))))


class Streams(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.left, self.right, self.fc = trunk(), trunk(), nn.Linear(12, CLASSES)
        self.eval()

    def forward(self, images):
        pooled = [part(images).mean(dim=(2, 3)) for part in (self.left, self.right)]
        return self.fc(torch.cat(pooled, dim=1))


class Flipped(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images) + self.network(images.flip(-1))


class Wrapped(nn.Module):
    def __init__(self, network, **named):
        super().__init__()
        self.backbone, self.named = network, named

    def forward(self, images):
        return self.backbone((images - 0.5) * 2, **self.named)


def scores():
    """Squeeze-net's manner: a score map of each class, which is pooled."""
    torch.manual_seed(0)
    return nn.Sequential(
        trunk(CLASSES), nn.Conv2d(CLASSES, CLASSES, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).eval()


def gate():
    return nn.Sequential(nn.Conv2d(6, 3, 1), nn.ReLU(), nn.Conv2d(3, 1, 1), nn.Sigmoid())


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (Net, "trunk"),
        (lambda: Net(width=CLASSES), "trunk"),
        (lambda: Attended(attention=gate()), "trunk"),
        (lambda: Shared(norm=nn.BatchNorm2d(6), act=nn.ReLU()), "norm"),
        (scores, "0"),
        (lambda: nn.Sequential(scores(), nn.LogSoftmax(1)).eval(), "0.0"),
        (lambda: nn.Sequential(trunk(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                               nn.Linear(24, CLASSES)).eval(), "0"),
        (lambda: Wrapped(Wrapped(Net())), "backbone.backbone.trunk"),
        (lambda: nn.DataParallel(Net()), "module.trunk"),
    ],
)  # fmt: skip
def test_the_last_map_that_all_logits_depend_on(make, layer):
    assert find_cam_layer(make(), noise(1, 3, 40, 24)) == layer


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Streams, "no layer has a map.* such as right, left"),
        (lambda: Flipped(Net()), "no layer has a map"),
        (lambda: Branched(branch=nn.Conv2d(6, 6, 3, padding=1)), "'trunk' the network branches"),
        (lambda: Wrapped(Streams()), "such as backbone.right, backbone.left"),
    ],
)
def test_where_no_single_map_counts_candidates_are_named(make, said):
    with pytest.raises(XaibenchError, match=said):
        xaibench.explain(make(), noise(1, 3, 40, 24), 1)


def test_a_layer_that_runs_for_two_images_is_refused_though_named():
    with pytest.raises(XaibenchError, match="trunk' runs 2 times"):
        xaibench.explain(Flipped(Net()), noise(1, 3, 40, 24), 1, layer="network.trunk")


def test_a_layer_that_runs_again_on_its_own_output_is_read_at_the_end():
    class Again(Net):
        def between(self, found):
            for _ in range(3):
                found = found + self.block(found)
            return found

    network, images = Again(block=nn.Conv2d(6, 6, 3, padding=1)), noise(2, 3, 40, 24)
    assert check_layer(network, images, "block").shape == (6, 10, 6)


def test_behind_a_reentrant_checkpoint_nothing_is_guessed():
    class Saving(Net):
        def between(self, found):
            return checkpoint(self.block, found, use_reentrant=self.reentrant)

    network = Saving(block=nn.Conv2d(6, 6, 3), reentrant=True)
    with pytest.raises(XaibenchError, match="use_reentrant=False"):
        find_cam_layer(network, noise(1, 3, 40, 24))
    network.reentrant = False
    assert find_cam_layer(network, noise(1, 3, 40, 24)) == "block"


class Deep(nn.Module):
    """Steps of 32 pixels, unknown to any table."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        layers = [nn.Conv2d(3 if not n else 4, 4, 3, stride=2, padding=1) for n in range(5)]
        self.layers, self.fc = nn.Sequential(*layers), nn.Linear(4, CLASSES)
        self.eval()

    def forward(self, images):
        return self.fc(functional.relu(self.layers(images)).mean(dim=(2, 3)))


def test_the_layer_does_not_depend_on_the_size_that_comes_first():
    explainer = xaibench.Explainer(Deep())
    for _ in range(2):
        with pytest.raises(XaibenchError, match=r"'layers' has one position .* 64 x 64 would do"):
            explainer(noise(1, 3, 32, 32), 1)
        assert explainer(noise(1, 3, 64, 96), 1)["gradcam"].shape == (1, 64, 96)


def test_a_convolution_that_sees_the_whole_map_is_no_map():
    network = nn.Sequential(
        trunk(), nn.Conv2d(6, 8, (10, 6)), nn.ReLU(), nn.Flatten(), nn.Linear(8, CLASSES)
    ).eval()
    assert find_cam_layer(network, noise(1, 3, 40, 24)) == "0"


def small_vit(**options):
    torch.manual_seed(0)
    network = torchvision.models.VisionTransformer(
        image_size=64, patch_size=16, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64,
        num_classes=CLASSES, **options,
    )  # fmt: skip
    nn.init.normal_(network.heads[-1].weight)
    return network.eval()


class Derived(torchvision.models.VisionTransformer):
    """Somebody's own class, which no table knows."""


def test_of_a_transformer_that_no_table_knows_it_is_what_the_last_attention_reads():
    network = small_vit()
    network.__class__ = Derived
    layer = find_cam_layer(network, noise(1, 3, 64, 64))
    assert layer == "encoder.layers.encoder_layer_1.ln_1"


def small_swin():
    return torchvision.models.swin_transformer.SwinTransformer(
        patch_size=[4, 4], embed_dim=16, depths=[2, 2], num_heads=[2, 2], window_size=[4, 4],
        num_classes=CLASSES,
    )  # fmt: skip


@pytest.mark.parametrize("make", [small_vit, small_swin])
def test_wrappers_change_neither_the_layer_nor_the_map(make):
    torch.manual_seed(0)
    network, images = make().eval(), noise(2, 3, 64, 64)
    bare, scaled = find_cam_layer(network, images), (images - 0.5) * 2
    expected = xaibench.explain(network, scaled, 1)["gradcam"]
    assert expected.any()
    for wrapper, given, name in (
        (Wrapped(network), images, f"backbone.{bare}"),
        (nn.DataParallel(network), scaled, f"module.{bare}"),
        (nn.Sequential(nn.Identity(), network), scaled, f"1.{bare}"),
    ):
        assert find_cam_layer(wrapper, given) == name
        torch.testing.assert_close(xaibench.explain(wrapper, given, 1)["gradcam"], expected)


def test_an_ensemble_of_known_networks_names_both():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = small_vit(), small_vit()

        def forward(self, images):
            return self.one(images) + self.two(images)

    with pytest.raises(XaibenchError, match=r"such as two\..*one\."):
        find_cam_layer(Both(), noise(1, 3, 64, 64))


@pytest.mark.slow
def test_a_known_network_whose_parts_are_called_by_another_is_searched():
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.vgg = torchvision.models.VGG(trunk(512), num_classes=CLASSES)
            self.own, self.fc = nn.Conv2d(512, 4, 3), nn.Linear(4, CLASSES)

        def forward(self, images):
            return self.fc(self.own(self.vgg.features(images)).mean(dim=(2, 3)))

    assert find_cam_layer(Head().eval(), noise(1, 3, 40, 24)) == "own"


def test_a_layer_of_which_one_token_counts_is_refused_though_named():
    with pytest.raises(XaibenchError, match=r"of layer 'encoder\.ln'"):
        xaibench.explain(small_vit(), noise(1, 3, 64, 64), 1, layer="encoder.ln")
