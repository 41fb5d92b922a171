"""Batch norms folded into the convolutions before them: the same function in fewer passes."""

import copy
import logging
from itertools import chain
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from xaibench.core.model import Model
from xaibench.core.passes.batching import let_through
from xaibench.core.passes.inside_torch import children_of
from xaibench.core.passes.layer_names import named_layer

_log = logging.getLogger(__name__)
Network = TypeVar("Network", bound=Model)
# Folding rounds otherwise; what differs by more than this share of the largest value is a fault.
_TOLERANCE = 1e-3


def fold_batch_norms(model: Network, images: Tensor) -> Network:
    """Return a copy of a model in evaluation mode, batch norms folded, convolutions channels last.

    Which convolution feeds which norm is seen in a pass over ``images``, not guessed from names;
    the copy is used only if its logits and its CAM activations equal the model's. Everything that
    isn't folded is shared with the model, which stays as it was.
    """
    reason: object = "folded, it is another function"
    try:
        with torch.no_grad():
            folded = _fold(model, _find_pairs(model, images))
            if _agree(_look(model, images), _look(folded, images)):
                return folded
    except Exception as error:  # networks hold what can't be copied, or read what was replaced
        let_through(error)
        reason = repr(error)
    _log.info("batch norms of %s stay as they are: %s", type(model).__name__, reason)
    return model


def _find_pairs(model: Model, images: Tensor) -> list[tuple[str, str]]:
    # The tensors are kept, so that no id comes twice; what wrote into one made another version.
    made: dict[int, tuple[str, Tensor, int]] = {}
    pairs: list[tuple[str, str]] = []
    calls: dict[str, int] = {}
    hooks = []

    def watch(name: str, part: nn.Module) -> None:
        def hook(_part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            calls[name] = calls.get(name, 0) + 1
            if isinstance(part, nn.Conv2d):
                made[id(output)] = (name, output, output._version)
            elif id(inputs[0]) in made:
                convolution, _, version = made[id(inputs[0])]
                if inputs[0]._version == version:
                    pairs.append((convolution, name))

        hooks.append(part.register_forward_hook(hook))

    for name, part in model.named_modules():
        if (type(part) is nn.Conv2d and _is_plain(part)) or (
            type(part) is nn.BatchNorm2d and part.running_mean is not None
        ):
            watch(name, part)
    try:
        model.outputs(images)
    finally:
        for hook in hooks:
            hook.remove()
    return [pair for pair in pairs if calls[pair[0]] == calls[pair[1]] == 1]


def _is_plain(convolution: nn.Conv2d) -> bool:
    """Whether the weight is a parameter and not made of others, as by weight normalization."""
    return "weight" in convolution._parameters


def _fold(model: Network, pairs: list[tuple[str, str]]) -> Network:
    shared = {id(t): t for t in chain(model.parameters(), model.buffers())}
    folded = copy.deepcopy(model, shared)
    for convolution, norm in pairs:
        before, after = named_layer(folded, convolution), named_layer(folded, norm)
        assert isinstance(before, nn.Conv2d)
        assert isinstance(after, nn.BatchNorm2d)
        _replace(folded, before, fuse_conv_bn_eval(before, after))
        _replace(folded, after, nn.Identity())
    for part in folded.modules():
        if isinstance(part, nn.Conv2d) and _is_plain(part):
            weight = part.weight.detach().contiguous(memory_format=torch.channels_last)
            part.weight = nn.Parameter(weight, requires_grad=False)
    return folded


def _replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a part in another's place, under all names that it has."""
    for part in list(model.modules()):
        for name, child in children_of(part).items():
            if child is old:
                setattr(part, name, new)


def _look(model: Model, images: Tensor) -> list[Tensor]:
    """Return all that the model gives and, where there is one, the output of the CAM layer."""
    seen: list[Tensor] = []
    if model.cam_layer is None:
        return _given(model, images)

    def keep(_part: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):  # else the tape is going to refuse it
            seen.append(output.clone())

    handle = named_layer(model, model.cam_layer).register_forward_hook(keep)
    try:
        return [*_given(model, images), *seen]
    finally:
        handle.remove()


def _given(model: Model, images: Tensor) -> list[Tensor]:
    return [each for each in model.outputs(images) if each is not None and each.numel()]


def _agree(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(
        bool((a - b).abs().max() <= _TOLERANCE * b.abs().max())
        for a, b in zip(ours, theirs, strict=True)
    )
