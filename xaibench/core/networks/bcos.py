"""B-cos layers: networks whose answer is a sum over pixels, each weighed by what all layers saw.

Any network becomes one (arya2024bcosification): convolutions and linear layers are multiplied by
the cosine between input and weights, and nothing is added; activations, gates and norms are a
factor that depends on the image. While explaining, gradients take such factors for constants, so
that input times gradient adds up to the output.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_NOTHING = 1e-6
_MOMENTUM = 0.1
_Layer = nn.Conv2d | nn.Linear
_GATES = (nn.Sigmoid, nn.Hardsigmoid)
_ACTIVATIONS = (nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU, nn.ELU, nn.Mish, nn.Hardtanh)


class Switch:
    """Whether factors are taken for constants; all layers of a network share one."""

    explaining = False

    def hold(self, factor: Tensor) -> Tensor:
        """Return a factor, detached while explaining."""
        return factor.detach() if self.explaining else factor

    @contextmanager
    def on(self) -> Iterator[None]:
        """Explain."""
        self.explaining = True
        try:
            yield
        finally:
            self.explaining = False


class BcosLayer(nn.Module):
    """|cos(x, w)|^(b - 1) * (w x), for each output and position; no bias (bohle2022bcos).

    Args:
        layer: a convolution or a linear layer, whose weights it takes over.
        power: b; with 1 it is the layer without its bias.
        switch: of the network.
    """

    def __init__(self, layer: _Layer, power: float, switch: Switch) -> None:
        super().__init__()
        layer.bias = None
        self.ones: nn.Module | None = None
        if isinstance(layer, nn.Conv2d):
            # The same steps and padding, of what a group of channels holds at each position.
            ones = copy.deepcopy(layer)
            ones.in_channels = ones.out_channels = layer.groups
            del ones.weight
            shape = (layer.groups, 1, *layer.kernel_size)
            ones.register_buffer("weight", torch.ones(shape), persistent=False)
            self.ones = ones
        # Behind the other one, so that the network's last layer is the one that learns.
        self.layer, self.power, self._switch = layer, power, switch

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the layer gives, times the cosines."""
        answer: Tensor = self.layer(inputs)
        if self.power == 1:
            return answer
        if self.ones is None:
            lengths = inputs.norm(dim=-1, keepdim=True)
            widths = self.layer.weight.norm(dim=1)
        else:
            lengths = self._patch_lengths(inputs)
            widths = self.layer.weight.flatten(1).norm(dim=1)[:, None, None]
        cosine = answer.abs() / (lengths * widths + _NOTHING)
        return answer * self._switch.hold(cosine.clamp(min=_NOTHING) ** (self.power - 1))

    def _patch_lengths(self, inputs: Tensor) -> Tensor:
        """Return the length of what each output sees, ``(B, outputs, h, w)``."""
        assert isinstance(self.layer, nn.Conv2d)
        assert self.ones is not None
        count, _, rows, columns = inputs.shape
        squares = inputs.square().reshape(count, self.layer.groups, -1, rows, columns).sum(dim=2)
        lengths: Tensor = (self.ones(squares) + _NOTHING**2).sqrt()
        return lengths.repeat_interleave(self.layer.out_channels // self.layer.groups, dim=1)


class Uncentered(nn.Module):
    """A batch norm that divides and subtracts nothing: by the mean square, and without a bias."""

    def __init__(self, norm: nn.BatchNorm2d, switch: Switch) -> None:
        super().__init__()
        self.eps, self.momentum, self._switch = norm.eps, norm.momentum or _MOMENTUM, switch
        self.weight = norm.weight
        assert norm.running_var is not None
        self.register_buffer("square", norm.running_var.clone())

    square: Tensor

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs / root of the mean square * weight."""
        square = self.square
        if self.training:
            square = inputs.square().mean(dim=(0, 2, 3))
            self.square.lerp_(square.detach().to(self.square), self.momentum)
        factor = self.weight / (square + self.eps).sqrt()
        return inputs * self._switch.hold(factor)[:, None, None]


class Gated(nn.Module):
    """An activation as its input times a factor."""

    def __init__(self, activation: nn.Module, switch: Switch) -> None:
        super().__init__()
        self.activation, self._switch = activation, switch

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the activation gives."""
        if not self._switch.explaining:
            answer: Tensor = self.activation(inputs.clone())
            return answer
        if isinstance(self.activation, _GATES):  # another tensor is multiplied by these
            gate: Tensor = self.activation(inputs.clone()).detach()
            return gate
        safe = torch.where(inputs.abs() < _NOTHING, _NOTHING, inputs)
        factor: Tensor = self.activation(safe.clone()) / safe
        return inputs * factor.detach()


def make_bcos(network: nn.Module, power: float, switch: Switch) -> None:
    """Replace the layers of a network, in place; its first convolution sees six channels then.

    These are the image and 1 minus it, so that dark pixels count as well as bright ones. Of
    pretrained weights the first convolution keeps what it answers to the image minus 1/2.
    """
    layers = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    layers[0].weight = nn.Parameter(torch.cat([layers[0].weight, -layers[0].weight], 1).data / 2)
    layers[0].in_channels *= 2
    _replace_children(network, power, switch)


def _replace_children(network: nn.Module, power: float, switch: Switch) -> None:
    for name, part in list(network.named_children()):
        if isinstance(part, _Layer):
            setattr(network, name, BcosLayer(part, power, switch))
        elif isinstance(part, nn.BatchNorm2d):
            norm: nn.Module = Uncentered(part, switch)
            if activation := getattr(part, "act", None):  # those of timm have one inside
                norm = nn.Sequential(norm, activation)
                _replace_children(norm, power, switch)
            setattr(network, name, norm)
        elif isinstance(part, (*_GATES, *_ACTIVATIONS)):
            setattr(network, name, Gated(part, switch))
        else:
            _replace_children(part, power, switch)


@torch.no_grad()
def settle(network: nn.Module, images: Tensor) -> None:
    """Let norms begin with what some images give: what plain layers gave is larger by far.

    Args:
        network: in training.
        images: ``(B, 6, H, W)``.
    """
    norms = [part for part in network.modules() if isinstance(part, Uncentered)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    network(images)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


def both_signs(images: Tensor) -> Tensor:
    """Return images ``(B, 3, H, W)`` and 1 minus them, ``(B, 6, H, W)``."""
    return torch.cat([images, 1 - images], dim=1)
