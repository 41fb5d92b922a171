"""Which layer CAM methods read."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops.misc import Permute

from xaibench.core.errors import XaibenchError
from xaibench.core.model import evaluating
from xaibench.core.networks.known_layers import known_layer
from xaibench.core.output_form import OutputChoice
from xaibench.core.passes.activations import as_activations, fits_image, token_grid
from xaibench.core.suggest import did_you_mean

_IMAGE_LIKE, _TOKENS = 4, 3
# They pass on, or pool, what another layer made.
_PASSIVE = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Dropout, nn.Identity, Permute)
# What stands between a model and the network that users know: their names need not tell it.
_WRAPPERS = ("", "network.", "trunk.")


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
    known = known_layer(getattr(network, "network", network))
    if known:
        return full_name(network, known)
    for layer in spatial_layers(network, images):
        return layer.name
    raise XaibenchError("no layer with a spatial output was found; name one with layer=.")


def spatial_layers(network: nn.Module, images: Tensor) -> Iterator[SpatialLayer]:
    """Yield the layers whose output is spatial and on which the logits depend, the last first.

    The network runs once; every layer that gives ``(B, D, h, w)`` or tokens ``(B, N, D)`` is a
    candidate, if its positions receive a gradient: after the last attention of a transformer only
    the class token does. Class score maps (as many channels as classes), pooling and dropout are
    passed over, and where any grid has the image's proportions those that haven't (the insides of
    windowed attention). Of a layer that runs more than once the last run counts.
    """
    runs, probe, classes = _observe(network, images)
    last = {run.name: run for run in runs}
    found = [
        run for run in reversed(runs)
        if last[run.name] is run and _spatial(run, images, classes)
    ]  # fmt: skip
    for run in [run for run in found if _proportioned(run, images)] or found:
        if _reached(probe, run, images):
            yield run


def check_layer(network: nn.Module, images: Tensor, name: str) -> SpatialLayer:
    """Return a layer with what it gives; refuse one that no CAM can read.

    Raises:
        XaibenchError: it doesn't exist or run, its output isn't spatial, or the logits depend on
            fewer than two of its positions.
    """
    layer, shown = named_layer(network, name), short_name(name)
    runs, probe, _ = _observe(network, images)
    run = next((run for run in reversed(runs) if run.module is layer), None)
    if run is None:
        raise XaibenchError(f"layer '{shown}' does not run, or gives no tensor; choose another.")
    if as_activations(run.output, images, layer)[0, 0].numel() == 1:
        raise XaibenchError(
            f"layer '{shown}' has one position only; choose one before the pooling."
        )
    if not _reached(probe, run, images):
        raise XaibenchError(
            f"the logits depend on fewer than two positions of layer '{shown}'; choose an earlier "
            "one."
        )
    return run


def full_name(network: nn.Module, name: str) -> str:
    """Return a layer's name as the network knows it: users may leave out that of its wrapper.

    Raises:
        XaibenchError: there is no such layer.
    """
    known = _names(network)
    for wrapper in _WRAPPERS:
        if wrapper + name in known:
            return wrapper + name
    raise _no_layer(name, known)


def short_name(name: str) -> str:
    """Return a layer's name without that of the wrapper around the user's network."""
    return name.removeprefix("network.")


def named_layer(network: nn.Module, name: str) -> nn.Module:
    """Return the submodule of that name.

    Raises:
        XaibenchError: there is none.
    """
    try:
        return network.get_submodule(name)
    except AttributeError:
        raise _no_layer(name, _names(network)) from None


def _no_layer(name: str, names: list[str]) -> XaibenchError:
    missing, known = short_name(name), [short_name(key) for key in names]
    return XaibenchError(
        f"the network has no layer '{missing}'{did_you_mean(missing, known)}; its last layers are "
        f"{', '.join(known[-5:])}."
    )


def _names(network: nn.Module) -> list[str]:
    return [name for name, _ in network.named_modules(remove_duplicate=False) if name]


def _observe(network: nn.Module, images: Tensor) -> tuple[list[SpatialLayer], Tensor, int]:
    """Run a network once: what each layer gave, what to differentiate, the number of classes."""
    runs: list[SpatialLayer] = []
    linear: list[tuple[Tensor, Tensor]] = []
    hooks = [
        module.register_forward_hook(_recorder(name, runs, linear))
        for name, module in network.named_modules()
        if name
    ]
    try:
        with evaluating(network), torch.enable_grad():
            result = network(images.detach().clone().requires_grad_().clone())
            logits = OutputChoice().find(result)
            return runs, _weigh(logits) + _weigh(_embedding(logits, linear)), logits.shape[1]
    finally:
        for hook in hooks:
            hook.remove()


def _recorder(
    name: str, runs: list[SpatialLayer], linear: list[tuple[Tensor, Tensor]]
) -> Callable[..., None]:
    def record(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        if isinstance(output, Tensor) and output.ndim and output.requires_grad:
            runs.append(SpatialLayer(name, module, output))
            if isinstance(module, nn.Linear) and isinstance(inputs[0], Tensor) and output.ndim == 2:  # noqa: PLR2004
                linear.append((inputs[0], output))

    return record


def _embedding(logits: Tensor, linear: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return what enters the last linear layer, as a fresh one may be zero and pass no gradient."""
    for entering, leaving in reversed(linear):
        (way,) = torch.autograd.grad(logits.sum(), leaving, retain_graph=True, allow_unused=True)
        if way is not None:
            return entering
    return logits


def _weigh(values: Tensor) -> Tensor:
    """Return a weighted sum; a plain one has no gradient behind a layer norm."""
    weights = torch.linspace(1, 2, values.numel(), device=values.device).sin()
    return (values.flatten() * weights).sum()


def _spatial(run: SpatialLayer, images: Tensor, classes: int) -> bool:
    if isinstance(run.module, _PASSIVE) or len(run.output) != len(images):
        return False
    if run.output.ndim == _IMAGE_LIKE:
        activations = as_activations(run.output, images, run.module)
        return activations.shape[1] != classes and min(activations.shape[2:]) > 1
    return run.output.ndim == _TOKENS and token_grid(run.output.shape[1], images) is not None


def _proportioned(run: SpatialLayer, images: Tensor) -> bool:
    return fits_image(as_activations(run.output, images, run.module).shape[2:], images)


def _reached(probe: Tensor, run: SpatialLayer, images: Tensor) -> bool:
    (gradient,) = torch.autograd.grad(probe, run.output, retain_graph=True, allow_unused=True)
    if gradient is None:
        return False
    positions = as_activations(gradient, images, run.module).abs().sum(dim=1).flatten(1)
    return bool(((positions > 0).sum(dim=1) > 1).all())
