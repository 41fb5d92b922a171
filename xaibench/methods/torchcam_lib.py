"""Any CAM class of torchcam, by its name."""

from typing import Any

import torch
from torch import Tensor

from xaibench.core.model import Model
from xaibench.core.peers import (
    choose_class,
    import_peer,
    insert_probe,
    parameters_of,
    parse_arguments,
    running,
    untouched,
)
from xaibench.core.registry import method
from xaibench.core.seeds import BatchGenerator

_OURS = {"self", "model", "target_layer", "input_shape"}


@method(paper="fernandez2020torchcam", family="cam", wraps="torchcam")
def torchcam_lib(
    images: Tensor,
    targets: Tensor,
    network: Model,
    generator: BatchGenerator,
    *,
    name: str = "GradCAM",
    arguments: tuple[str, ...] = (),
) -> Tensor:
    """Return the maps of a class of ``torchcam.methods``, at the CAM layer's size, (B, h, w).

    Options:
        name: the class; ``CAM`` itself reads the weights of the last layer.
        arguments: of the class, as name:value+name:value.
    """
    owner, maps = f"torchcam_lib[name={name}]", []
    classes = _find_classes(import_peer("torchcam.methods"))
    chosen = choose_class(owner, classes, name)
    known = set().union(*(parameters_of(each) for each in chosen.__mro__[:-1]))
    given = parse_arguments(owner, arguments, known - _OURS)
    with untouched(network):
        layer = insert_probe(network, images)
        for row, target in enumerate(targets.tolist()):
            with running(owner, generator.seed(row), images.device):
                image = images[row : row + 1].detach().clone().requires_grad_()
                shape = tuple(image.shape[1:])
                with chosen(network, layer, input_shape=shape, **given) as extractor:
                    logits = network(image)
                    found = extractor(target, logits, normalized=False)
                maps.append(found[0].detach())
    return torch.cat(maps)


def _find_classes(library: Any) -> dict[str, Any]:
    return {
        name: each
        for name, each in vars(library).items()
        if isinstance(each, type) and "target_layer" in parameters_of(each)
    }
