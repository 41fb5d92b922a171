"""What users hand over by mistake is told in one clear sentence."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.checkpoint import checkpoint

from xaibench import XaibenchError, explain

HEIGHT, WIDTH = 24, 40


class Network(nn.Module):
    """A trunk and a head, with whatever stands between image and trunk."""

    def __init__(self, through=lambda trunk, images: trunk(images)):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU()
        )
        self.head, self.through = nn.Linear(8, 5), through

    def forward(self, images):
        return self.head(self.through(self.trunk, images).mean(dim=(2, 3)))


class Two(Network):
    def forward(self, images, age):
        return super().forward(images) + age


class Pair(nn.Module):
    def forward(self, values):
        return values, values


@torch.no_grad()
def frozen(trunk, images):
    return trunk(images)


@pytest.fixture
def images():
    return torch.rand(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))


def test_a_layer_may_be_the_module_itself(images):
    network = Network()
    by_name = explain(network, images, 1, layer="trunk.1")["gradcam"]
    assert torch.equal(explain(network, images, 1, layer=network.trunk[1])["gradcam"], by_name)
    last = explain(network, images, 1, layer="trunk.3")["gradcam"]
    assert not torch.equal(last, by_name)
    for wrong in (nn.ReLU(), network):
        with pytest.raises(XaibenchError, match="no part of the model"):
            explain(network, images, 1, layer=wrong)
    for wrong in (["trunk"], 3, ""):
        with pytest.raises(XaibenchError, match="takes one layer, by its name or as the module"):
            explain(network, images, 1, layer=wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (list, r"not a list; stack tensors by torch.stack"),
        (lambda _: Image.new("RGB", (WIDTH, HEIGHT)), "not a Image; .*to_tensor|uint8"),
        (lambda x: x.permute(0, 2, 3, 1), r"Channels come second: images.permute\(0, 3, 1, 2\)"),
        (lambda x: x[:, :1], r"takes no images \(B, C, H, W\) = \(B, 1, 24, 40\) .*3 channels"),
        (lambda x: (255 * x).byte(), "must be floats"),
    ],
)
def test_images_of_another_form_are_told(wrong, message, images):
    with pytest.raises(XaibenchError, match=message):
        explain(Network(), wrong(images), 1)


def test_a_second_input_is_told(images):
    with pytest.raises(XaibenchError, match=r"'age'.*called with the images alone"):
        explain(Two(), images, 1)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([True, False], "whole numbers"),
        ([False, 0], "whole numbers"),
        (np.array([True, False]), "whole numbers"),
        (torch.tensor([True, False]), "whole numbers"),
        ("one", "whole numbers"),
        ([0, "one"], "whole numbers"),
        ("5", "from 0 to 4"),
    ],
    ids=str,
)
def test_targets_that_are_no_numbers_are_told(targets, message, images):
    with pytest.raises(XaibenchError, match=message):
        explain(Network(), images, targets)


def test_a_number_may_be_written_as_text(images):
    maps = explain(Network(), images, 3)["gradcam"]
    assert torch.equal(explain(Network(), images, "3")["gradcam"], maps)


@pytest.mark.parametrize("method", ["gradient", "integrated_gradients", "smoothgrad"])
def test_a_trunk_without_gradients_is_told(method, images):
    with pytest.raises(XaibenchError, match=r"runs under torch\.no_grad"):
        explain(Network(frozen), images, 1, method)


def test_reentrant_checkpoints_are_told_and_others_taken(images):
    def checkpointed(reentrant):
        return Network(lambda trunk, x: checkpoint(trunk, x, use_reentrant=reentrant))

    with pytest.raises(XaibenchError, match="use_reentrant=False"):
        explain(checkpointed(True), images, 1)
    plain = explain(Network(), images, 1, ["gradcam", "gradient"])
    for name, maps in explain(checkpointed(False), images, 1, ["gradcam", "gradient"]).items():
        torch.testing.assert_close(maps, plain[name])


def test_a_compiled_network_is_explained_by_what_it_was_compiled_from(images):
    network = Network().eval()
    compiled = torch.compile(network, backend="eager")
    compiled(images)
    ours, theirs = (explain(each, images, 1, ["gradcam", "scorecam"], layer="trunk")
                    for each in (compiled, network))  # fmt: skip
    assert all(torch.equal(maps, theirs[name]) for name, maps in ours.items())


@pytest.mark.parametrize("method", ["gradcam", "captum[name=LayerGradCam]", "gradcam_lib"])
def test_a_layer_that_gives_a_tuple_is_told_alike(method, images):
    network = Network(lambda trunk, x: trunk(x)[0])
    network.trunk.append(Pair())
    with pytest.raises(XaibenchError, match="a tuple, not a tensor"):
        explain(network, images, 1, method, layer="trunk.4")


@pytest.mark.parametrize("size", [(1, 1), (7, 28), (28, 20), (59, 61), (64, 96)])
def test_the_default_window_of_occlusion_fits(size):
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    maps = explain(network, torch.rand(1, 3, *size), 1, "occlusion")["occlusion"]
    assert maps.shape == (1, *size)
    if min(size) >= 60:
        given = explain(network, torch.rand(1, 3, *size), 1, "occlusion[window=30]")
        assert given.keys() == {"occlusion[window=30]"}


def test_finercam_can_differentiate_its_shares_as_pytorch_grad_cam_does(images):
    network = Network()
    with torch.no_grad():
        network.head.weight.mul_(30)
    target = network(images).argmax(dim=1)
    theirs = explain(network, images, target, "gradcam_lib[name=FinerCAM]")
    ours = explain(network, images, target,
                   ["finercam", "finercam[shares=differentiated]"])  # fmt: skip
    library = theirs["gradcam_lib[name=FinerCAM]"]
    assert (ours["finercam[shares=differentiated]"] - library).abs().max() < 1e-3
    assert (ours["finercam"] - library).abs().max() > 1e-2
