"""Which layer CAM methods read, and how its output becomes activations ``(B, D, h, w)``."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.swin_transformer import SwinTransformer, SwinTransformerBlockV2
from torchvision.ops.misc import Permute

from xaibench.core.errors import XaibenchError
from xaibench.core.model import evaluating, logits_of

_IMAGE_LIKE, _TOKENS = 4, 3
# They pass on, or pool, what another layer made.
_PASSIVE = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Dropout, nn.Identity, Permute)


# The layers that CAMs read in torchvision's networks, by their class; -1 is the last child.
_KNOWN = {
    "AlexNet": "features",
    "ConvNeXt": "features",
    "DenseNet": "features",
    "EfficientNet": "features",
    "GoogLeNet": "inception5b",
    "Inception3": "Mixed_7c",
    "MNASNet": "layers",
    "MaxVit": "blocks.-1",
    "MobileNetV2": "features",
    "MobileNetV3": "features",
    "RegNet": "trunk_output",
    "ResNet": "layer4",
    "ShuffleNetV2": "conv5",
    "SqueezeNet": "features",
    # What stands before the last attention marks the background (norm1 in each block); behind it
    # every position still has a gradient of its own, as the logits pool over all.
    "SwinTransformer": "features.-1.-1.norm2",
    "VGG": "features",
    # Only the class token is read at the end: the last layer at which positions count is the norm
    # before the last attention.
    "VisionTransformer": "encoder.layers.-1.ln_1",
}
# Swin v2 has its norms behind attention and MLP, so that norm2 sees one branch alone.
_SWIN_V2 = "features.-1.-1"


class SpatialLayer(NamedTuple):
    """A layer that a CAM could read: its name, and its output for one batch."""

    name: str
    module: nn.Module
    output: Tensor


def find_cam_layer(network: nn.Module, images: Tensor) -> str:
    """Return the name of the layer that CAMs read.

    For torchvision's networks it stands in a table; of others it is the last of `spatial_layers`.

    Raises:
        XaibenchError: no layer qualifies.
    """
    name = known_layer(network)
    if name is None:
        name = next((layer.name for layer in spatial_layers(network, images)), None)
    if name is None:
        raise XaibenchError("no layer with a spatial output was found; name one with layer=.")
    return name


def known_layer(network: nn.Module) -> str | None:
    """Return the CAM layer's name of a network of torchvision, None for others."""
    kind = type(network)
    if not kind.__module__.startswith("torchvision.models.") or kind.__name__ not in _KNOWN:
        return None
    pattern = _KNOWN[kind.__name__]
    if kind is SwinTransformer and any(isinstance(p, SwinTransformerBlockV2)
                                       for p in network.modules()):  # fmt: skip
        pattern = _SWIN_V2
    part, names = network, []
    for step in pattern.split("."):
        children = dict(part.named_children())
        name = list(children)[-1] if step == "-1" and children else step
        if name not in children:  # somebody has rebuilt it
            return None
        part = children[name]
        names.append(name)
    return ".".join(names)


def spatial_layers(network: nn.Module, images: Tensor) -> Iterator[SpatialLayer]:
    """Yield the layers whose output is spatial and on which the logits depend, the last first.

    The network runs once; every layer that gives ``(B, D, h, w)`` or tokens ``(B, N, D)`` is a
    candidate, if its positions receive a gradient: after the last attention of a transformer only
    the class token does. Class score maps (as many channels as classes), pooling and dropout are
    passed over.
    """
    runs: list[SpatialLayer] = []
    embeddings: list[Tensor] = []
    hooks = [
        module.register_forward_hook(_recorder(name, runs, embeddings))
        for name, module in network.named_modules()
        if name
    ]
    try:
        with evaluating(network), torch.enable_grad():
            logits = logits_of(network(images.detach().clone().requires_grad_()))
            # What enters the last linear layer, as fresh heads may be zero and pass no gradient.
            probe = _weigh(embeddings[-1] if embeddings else logits)
            found = [
                run for run in reversed(runs)
                if _spatial(run, images, logits.shape[1]) and _reached(probe, run, images)
            ]  # fmt: skip
    finally:
        for hook in hooks:
            hook.remove()
    yield from found


def full_name(network: nn.Module, name: str) -> str:
    """Return a layer's name as the network knows it: users may leave out that of its wrapper.

    Raises:
        XaibenchError: there is no such layer.
    """
    for candidate in (name, f"network.{name}"):
        if candidate in dict(network.named_modules()):
            return candidate
    named_layer(network, name)
    return name


def named_layer(network: nn.Module, name: str) -> nn.Module:
    """Return the submodule of that name.

    Raises:
        XaibenchError: there is none.
    """
    try:
        return network.get_submodule(name)
    except AttributeError:
        last = [key for key, _ in network.named_modules() if key][-5:]
        raise XaibenchError(
            f"the network has no layer '{name}'; its last layers are {', '.join(last)}."
        ) from None


def as_activations(output: Tensor, images: Tensor, module: nn.Module | None = None) -> Tensor:
    """Bring a layer's output to ``(B, D, h, w)``.

    Image-like outputs pass unchanged, channels-last ones (of a plain LayerNorm or a Swin block)
    are permuted. Tokens ``(B, N, D)`` lose their class tokens, which stand first, and are laid out
    on the grid whose aspect ratio is the image's.

    Raises:
        XaibenchError: the output has another form.
    """
    if output.ndim == _IMAGE_LIKE:
        last = _channels_last(output, images, module)
        return output.permute(0, 3, 1, 2) if last else output
    if output.ndim == _TOKENS and (grid := _grid(output.shape[1], images)):
        height, width = grid
        tokens = output[:, output.shape[1] - height * width :].transpose(1, 2)
        return tokens.reshape(len(output), -1, height, width)
    raise XaibenchError(
        f"the CAM layer's output has shape {tuple(output.shape)}, which is neither (B, D, h, w) "
        "nor tokens (B, N, D) on the image's grid; choose another layer with layer=."
    )


def as_output(
    activations: Tensor, output: Tensor, images: Tensor, module: nn.Module | None = None
) -> Tensor:
    """Bring activations ``(N, D, h, w)`` to the form of a layer's ``output`` for one image.

    The inverse of `as_activations`; class tokens are the output's own.
    """
    if output.ndim == _IMAGE_LIKE:
        last = _channels_last(output, images, module)
        return activations.permute(0, 2, 3, 1) if last else activations
    tokens = activations.flatten(2).transpose(1, 2)
    extra = output[:1, : output.shape[1] - tokens.shape[1]].expand(len(tokens), -1, -1)
    return torch.cat([extra, tokens], dim=1)


def _recorder(name: str, runs: list[SpatialLayer], embeddings: list[Tensor]) -> Callable[..., None]:
    def record(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        if isinstance(output, Tensor) and output.requires_grad:
            runs.append(SpatialLayer(name, module, output))
            if isinstance(module, nn.Linear) and isinstance(inputs[0], Tensor) and output.ndim == 2:  # noqa: PLR2004
                embeddings.append(inputs[0])

    return record


def _weigh(values: Tensor) -> Tensor:
    """Return a weighted sum; a plain one has no gradient behind a layer norm."""
    weights = torch.linspace(1, 2, values.numel(), device=values.device).sin()
    return (values.flatten() * weights).sum()


def _spatial(run: SpatialLayer, images: Tensor, classes: int) -> bool:
    if isinstance(run.module, _PASSIVE):
        return False
    if run.output.ndim == _IMAGE_LIKE:
        activations = as_activations(run.output, images, run.module)
        return activations.shape[1] != classes and min(activations.shape[2:]) > 1
    return run.output.ndim == _TOKENS and _grid(run.output.shape[1], images) is not None


def _reached(probe: Tensor, run: SpatialLayer, images: Tensor) -> bool:
    (gradient,) = torch.autograd.grad(probe, run.output, retain_graph=True, allow_unused=True)
    if gradient is None:
        return False
    positions = as_activations(gradient, images, run.module).abs().sum(dim=1).flatten(1)
    return bool(((positions > 0).sum(dim=1) > 1).all())


def _channels_last(output: Tensor, images: Tensor, module: nn.Module | None) -> bool:
    # torchvision's LayerNorm2d derives from LayerNorm but keeps channels first.
    if module is not None and type(module) is nn.LayerNorm:
        return True
    first, last = output.shape[1:3], output.shape[2:4]
    return not _fits(last, images) and _fits(first, images)


def _fits(grid: torch.Size, images: Tensor) -> bool:
    """Whether every cell of the grid covers a square of the image, within one cell's rounding."""
    steps = [size / cells for size, cells in zip(images.shape[2:], grid, strict=True)]
    return max(steps) / min(steps) < 1 + 1 / min(grid)


def _grid(tokens: int, images: Tensor) -> tuple[int, int] | None:
    height, width = images.shape[2:]
    for extra in range(6):
        patches = tokens - extra
        rows = round(math.sqrt(patches * height / width)) if patches > 1 else 0
        if rows > 1 and patches % rows == 0:
            columns = patches // rows
            if columns > 1 and math.isclose(rows / columns, height / width, rel_tol=0.02):
                return rows, columns
    return None
