"""A map lies on the image only where the network doesn't move it before its first convolution."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import xaibench
from xaibench.core.errors import XaibenchError

AWAY = torch.tensor([[[0.5, 0, 0.3], [0, 0.5, 0.3]]])
MOVING = {
    "mirrored": lambda x: ((x - 0.5) / 0.2).flip(3),
    "mirrored by numbers": lambda x: x[:, :, torch.arange(31, -1, -1)],
    "in another order": lambda x: torch.cat([x[..., 24:], x[..., :24]], dim=3),
    "transposed": lambda x: x.mT,
    "turned, then stretched": lambda x: functional.interpolate(x.rot90(1, (2, 3)), (32, 48)),
    "cropped": lambda x: x[..., 12:],
    "stretched, then cropped": lambda x: functional.interpolate(x, (40, 80))[..., 20:60],
    "padded": lambda x: functional.pad(x, (0, 24)),
    "warped": lambda x: functional.grid_sample(
        x, functional.affine_grid(AWAY.expand(len(x), -1, -1), x.shape, align_corners=False),
        align_corners=False,
    ),
}  # fmt: skip
STAYING = {
    "stretched": lambda x: functional.interpolate(x, (40, 80), mode="bilinear"),
    "every other pixel": lambda x: x[:, :, ::2, ::2],
    "channels turned": lambda x: x.flip(1),
    "padded a little": lambda x: functional.pad(x, (1, 2, 0, 3)),
    "without its mean": functional.instance_norm,
    "from its least to its largest": lambda x: (
        (x - x.amin((1, 2, 3), True)) / (x.amax((1, 2, 3), True) - x.amin((1, 2, 3), True))
    ),
    "channels last and back": lambda x: (x.permute(0, 3, 2, 1) - 0.4).permute(0, 3, 2, 1),
}


class Moving(nn.Module):
    def __init__(self, move):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 5, 3, 2, 1))
        self.head, self.move = nn.Linear(5, 3), move

    def forward(self, images):
        return self.head(self.trunk(self.move(images)).relu().mean((2, 3)))


def images():
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("how", MOVING)
@pytest.mark.parametrize("layer", [None, "trunk.2"])
def test_a_network_that_moves_the_image_is_refused(how, layer):
    with pytest.raises(XaibenchError, match="moves the image before its first convolution"):
        xaibench.explain(Moving(MOVING[how]), images(), 1, ["gradcam"], layer=layer)


@pytest.mark.parametrize("how", STAYING)
def test_what_keeps_each_pixel_at_its_place_is_served(how):
    maps = xaibench.explain(Moving(STAYING[how]), images(), 1, ["layercam"])["layercam"]
    assert maps.shape == (2, 32, 48)


def test_methods_that_read_no_layer_serve_a_network_that_moves_the_image():
    moving, plain = (
        xaibench.explain(Moving(move), given, 1, ["gradient"])["gradient"]
        for move, given in ((lambda x: x.flip(3), images()), (lambda x: x, images().flip(3)))
    )
    torch.testing.assert_close(moving.flip(2), plain)


@pytest.mark.parametrize("end", [torch.Tensor.detach, lambda x: functional.one_hot(x.argmax(1), 3)])
@pytest.mark.parametrize("method", ["gradcam", "gradient", "integrated_gradients"])
def test_logits_without_a_gradient_are_told(end, method):
    network = Moving(lambda x: x)
    network.head = nn.Sequential(nn.Linear(5, 3), End(end))
    with pytest.raises(XaibenchError, match="gradient"):
        xaibench.explain(network, images(), 1, [method])


class End(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.end = end

    def forward(self, logits):
        return self.end(logits).float()


def test_a_script_has_no_layer_and_says_so():
    script = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    network = nn.Sequential(script, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(XaibenchError, match="what a TorchScript does inside can't be read"):
        xaibench.explain(network, images(), 1, ["gradcam"])
