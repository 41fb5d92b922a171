"""What users hand over by mistake is told in one clear sentence."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.checkpoint import checkpoint

from xaibench import XaibenchError, explain

HEIGHT, WIDTH = 24, 40
PIXELS = torch.rand(1, 6, 11, 19)


class Network(nn.Module):
    """A trunk and a head, with whatever is between image and trunk."""

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


CUT = {
    "gate": lambda trunk, x: (seen := trunk(x)) * seen.mean(dim=1, keepdim=True).detach().sigmoid(),
    "branch": lambda trunk, x: trunk(x) + frozen(trunk, x).flip(3),
    "in place": lambda trunk, x: trunk(x).clone().add_(trunk(x).data),
}
WHOLE = {
    "gate": lambda trunk, x: (seen := trunk(x)) * seen.mean(dim=1, keepdim=True).sigmoid(),
    "mask": lambda trunk, x: (seen := trunk(x) - 0.1) * (seen > 0),
    "constant": lambda trunk, x: trunk(x) + frozen(torch.sin, torch.ones_like(x[:, :1, :9, :17])),
    "function": lambda trunk, x: Doubled.apply(trunk(x)),
}


class Doubled(torch.autograd.Function):
    """Twice the values by two steps, which autograd doesn't see."""

    @staticmethod
    def forward(_, values):
        return 2 * values.clone()

    @staticmethod
    def backward(_, gradients):
        return 2 * gradients


@pytest.mark.parametrize("name", CUT)
def test_gradients_that_would_miss_a_part_are_told(name, images):
    network = Network(CUT[name])
    for method in ("gradient", "smoothgrad[samples=2]", "captum[name=Saliency]"):
        with pytest.raises(XaibenchError, match=r"would miss a part .* depend on its images also"):
            explain(network, images, 1, method)
    assert explain(network, images, 1, "rise[masks=8]")["rise[masks=8]"].any()


def test_a_layer_is_explained_where_nothing_is_cut_behind_it(images):
    with pytest.raises(XaibenchError, match="depend on layer 'trunk' also by"):
        explain(Network(CUT["gate"]), images, 1, layer="trunk")
    behind = Network(lambda trunk, x: trunk(x + x.detach()))
    whole = Network(lambda trunk, x: trunk(2 * x))
    torch.testing.assert_close(explain(behind, images, 1), explain(whole, images, 1))


@pytest.mark.parametrize("name", WHOLE)
def test_gradients_that_miss_nothing_are_taken(name, images):
    maps = explain(Network(WHOLE[name]), images, 1, ["gradient", "gradcam"], layer="trunk")
    assert all(each.any() for each in maps.values())


@pytest.mark.parametrize("method", ["deeplift", "fullgrad"])
def test_methods_that_see_each_operation_see_through_cuts(method, images):
    ours, theirs = (explain(each, images, 1, method) for each in (Network(frozen), Network()))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("method", ["gradcam", "rise[masks=8]"])
def test_frozen_and_exported_programs_are_told(method, images):
    network = Network().eval()
    scripted = torch.jit.trace(network, images)
    for made, what in (
        (torch.jit.freeze(scripted), "the network is a frozen TorchScript"),
        (nn.Sequential(torch.jit.freeze(scripted)), "its '0' is a frozen TorchScript"),
        (torch.export.export(network, (images,)).module(), "is a program of torch.export"),
    ):
        with pytest.raises(XaibenchError, match=what):
            explain(made, images, 1, method)


@pytest.mark.parametrize("make", [torch.jit.script, lambda part: torch.jit.trace(part, PIXELS)])
def test_layers_inside_a_script_are_told_and_others_read(make, images):
    network = Network().eval()
    plain = explain(network, images, 1, ["gradient", "gradcam"], layer="trunk.1")
    network.trunk = nn.Sequential(*network.trunk[:2], make(network.trunk[2:]))
    ours = explain(network, images, 1, ["gradient", "gradcam"], layer="trunk.1")
    torch.testing.assert_close(ours, plain)
    with pytest.raises(XaibenchError, match="TorchScript does inside can't be read"):
        explain(network, images, 1, layer="trunk.2")
    with pytest.raises(XaibenchError, match="name a layer outside of it"):
        explain(network, images, 1)
    with pytest.raises(XaibenchError, match="TorchScript does inside can't be read"):
        explain(make(nn.Sequential(nn.Conv2d(6, 5, 1), nn.Flatten())), torch.rand(1, 6, 1, 1), 1)


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


@pytest.mark.parametrize("used", [False, True])
def test_parts_may_be_compiled(used, images):
    methods = ["gradcam", "scorecam", "gradient"]
    expected = explain(Network(), images, 1, methods, layer="trunk.1")
    part, in_place = Network(), Network()
    part.trunk = torch.compile(part.trunk, backend="eager")
    in_place.compile(backend="eager")
    for network in (part, in_place, nn.Sequential(torch.compile(Network(), backend="eager"))):
        network(images) if used else None
        layer = "0.trunk.1" if isinstance(network, nn.Sequential) else "trunk.1"
        torch.testing.assert_close(explain(network, images, 1, methods, layer=layer), expected)


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
