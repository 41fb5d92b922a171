"""Any composite of zennit, by its name: layer-wise relevance and its relatives."""

from typing import Any

import torch
from torch import Tensor

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.model import Model
from xaibench.core.peers import (
    choose_class,
    import_peer,
    parameters_of,
    parse_arguments,
    running,
    untouched,
)
from xaibench.core.registry import method
from xaibench.core.seeds import BatchGenerator

_OURS = {"self", "low", "high", "canonizers", "layer_map", "first_map", "name_map", "composites"}
_CANONIZERS = {"resnet": "ResNetCanonizer", "vgg": "VGGCanonizer", "none": ""}


@method(paper="anders2021zennit", family="gradient", sign="none", wraps="zennit")
def zennit_lib(
    images: Tensor,
    targets: Tensor,
    network: Model,
    generator: BatchGenerator,
    *,
    name: str = "EpsilonPlus",
    arguments: tuple[str, ...] = (),
    canonizer: str = "none",
    part: Polarity = "signed",
) -> Tensor:
    """Return the relevance by a class of ``zennit.composites``, summed over channels, (B, H, W).

    Options:
        name: the composite.
        arguments: of the composite, as name:value+name:value.
        canonizer: ``resnet`` or ``vgg`` (torchvision's), which folds batch norms and parts the
            sums of residual blocks; ``none``.
        part: the part of the sum over channels that is kept.
    """
    owner, maps = f"zennit_lib[name={name}]", []
    library = import_peer("zennit.composites")
    chosen = choose_class(owner, _find_classes(library), name)
    making = parameters_of(chosen)
    given: dict[str, Any] = parse_arguments(owner, arguments, making - _OURS)
    kind = choose_class(f"{owner}: canonizer", _CANONIZERS, canonizer)
    if kind:
        given["canonizers"] = [getattr(import_peer("zennit.torchvision"), kind)()]
    gradient = import_peer("zennit.attribution").Gradient
    with untouched(network):
        for row, target in enumerate(targets.tolist()):
            with running(owner, generator.seed(row), images.device):
                image = images[row : row + 1].detach().clone()
                bounds = {"low": torch.zeros_like(image), "high": torch.ones_like(image)}
                call = given | {key: value for key, value in bounds.items() if key in making}
                with gradient(model=network, composite=chosen(**call)) as attributor:
                    start = torch.zeros_like(network(image))
                    start[0, target] = 1
                    _, found = attributor(image, start)
                maps.append(found.detach())
    return fold_channels(torch.cat(maps), part)


def _find_classes(library: Any) -> dict[str, Any]:
    return {
        name: each
        for name, each in vars(library).items()
        if isinstance(each, type) and issubclass(each, library.Composite)
        if parameters_of(each, required=True) <= {"low", "high"}
        if each.__module__ == library.__name__ and "Map" not in name and "Mixed" not in name
    }
