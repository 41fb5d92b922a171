"""A network's layers in the order in which they run, and copies with random weights in some."""

import copy
from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from xaibench.core.model import Model, Outputs, evaluating
from xaibench.core.seeds import seed_of

_AT_ONCE = 16
_TRIED = 2
_ROUNDING = 1e-6


def layers_in_order(model: Model, images: Tensor) -> list[str]:
    """Return the names of all layers with weights, from the first that runs to the last.

    What never runs by itself, as the projection inside torch's attention, is with its parent.
    """
    places = _places(model, images)
    return sorted(_weighted(model), key=lambda name: _place(places, name))


def classification_head(model: Model, images: Tensor) -> list[str]:
    """Return the layers behind the CAM layer that lead to the logits and not to the saliency.

    Whether the model's own saliency goes through a layer is tried out: by random weights in it. A
    model whose CAM layer is its last one, or that has none, gives its last layer; one whose
    saliency goes through all layers behind the CAM layer gives all of them.
    """
    places = _places(model, images)
    layer = model.cam_layer or ""
    inside = [
        place
        for name, place in places.items()
        if layer and (name == layer or name.startswith(f"{layer}."))
    ]
    ordered = layers_in_order(model, images)
    behind = [name for name in ordered if inside and _place(places, name) > max(inside)]
    behind = behind or ordered[-1:]
    if "saliency" not in model.abilities:
        return behind
    return [name for name in behind if _spares_saliency(model, name, images[:_TRIED])] or behind


def with_random_weights(
    model: Model, names: Collection[str], images: Tensor, *, seed: int
) -> Model:
    """Return a copy of a model in evaluation mode with random weights in some layers.

    A layer draws by its own ``reset_parameters``, as if it were new, or, where it has none, normal
    numbers of its weights' root mean square. The same seed gives a layer the same weights whichever
    others are drawn. The statistics of batch norms among them are taken anew from the images:
    those of the trained network would blow activations up or let them vanish in one that isn't.

    Args:
        model: left as it is.
        names: layers, from `layers_in_order`.
        images: ``(B, C, H, W)``, two or more.
        seed: of the weights.
    """
    copied = copy.deepcopy(model)
    parts = [(name, copied.get_submodule(name)) for name in names]
    for name, part in parts:
        _draw(part, seed_of("weights", seed, name))
    norms = [
        part for _, part in parts if isinstance(part, _BatchNorm) and part.running_mean is not None
    ]
    _take_statistics(copied, norms, images)
    copied.eval().requires_grad_(requires_grad=False)
    return copied


def _weighted(model: Model) -> list[str]:
    return [name for name, part in model.named_modules() if list(part.parameters(recurse=False))]


def _look(model: Model, images: Tensor) -> Outputs:
    with torch.no_grad():
        return model.outputs(images, saliency="saliency" in model.abilities)


def _places(model: Model, images: Tensor) -> dict[str, int]:
    """Return for each module that runs when it was first entered."""
    places = {"": 0}

    def watch(name: str, part: nn.Module) -> torch.utils.hooks.RemovableHandle:
        return part.register_forward_pre_hook(
            lambda *_: places.setdefault(name, len(places)) and None
        )

    handles = [watch(name, part) for name, part in model.named_modules() if name]
    try:
        with evaluating(model):
            _look(model, images[:_TRIED])
    finally:
        for handle in handles:
            handle.remove()
    return places


def _place(places: dict[str, int], name: str) -> int:
    while name not in places:
        name = name.rpartition(".")[0]
    return places[name]


def _spares_saliency(model: Model, name: str, images: Tensor) -> bool:
    before, after = (
        _look(each, images).saliency
        for each in (model, with_random_weights(model, [name], images, seed=0))
    )
    assert before is not None
    assert after is not None
    return bool((before - after).abs().max() <= _ROUNDING)


def _draw(part: nn.Module, seed: int) -> None:
    own = list(part.parameters(recurse=False))
    device = own[0].device
    part.cpu()  # the same weights on every device
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        if callable(reset := getattr(part, "reset_parameters", None)):
            reset()
        else:
            for weights in part.parameters(recurse=False):
                weights.normal_(0, float(weights.square().mean().sqrt()))
    part.to(device)


def _take_statistics(model: Model, norms: Sequence[_BatchNorm], images: Tensor) -> None:
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # an average over all parts, not one that forgets
        norm.train()
    # Parts of equal size: batch norm can't learn from one image alone.
    for part in images.tensor_split(-(-len(images) // _AT_ONCE)):
        _look(model, part)
