"""Any CAM class of pytorch-grad-cam, by its name."""

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

_OURS = {
    "self",
    "model",
    "target_layers",
    "reshape_transform",
    "input_tensor",
    "targets",
    "target_idx",
    "eigen_smooth",
    "aug_smooth",
}


@method(paper="gildenblat2021gradcam", family="cam", wraps="grad-cam")
def gradcam_lib(
    images: Tensor,
    targets: Tensor,
    network: Model,
    generator: BatchGenerator,
    *,
    name: str = "GradCAM",
    arguments: tuple[str, ...] = (),
    eigen_smooth: bool = False,
    aug_smooth: bool = False,
) -> Tensor:
    """Return the maps of a class of ``pytorch_grad_cam``, at the images' size, (B, H, W).

    Options:
        name: the class.
        arguments: of the class or its call, as name:value+name:value; ``base_method`` by its name.
        eigen_smooth: keep the first principal component only.
        aug_smooth: average over flipped, darker and lighter copies.
    """
    owner, maps = f"gradcam_lib[name={name}]", []
    library = import_peer("pytorch_grad_cam")
    classes = _find_classes(library)
    chosen = choose_class(owner, classes, name)
    plain = issubclass(chosen, library.base_cam.BaseCAM)
    making = parameters_of(chosen)
    calling = parameters_of(chosen.__call__ if plain else chosen.forward)
    # Score-CAM reads its batch size from an attribute.
    setting = {"batch_size"} if issubclass(chosen, library.ScoreCAM) else set()
    given = parse_arguments(owner, arguments, (making | calling | setting) - _OURS)
    base = given.get("base_method")
    if base:
        given["base_method"] = choose_class(owner, classes, base)
    call = {key: value for key, value in given.items() if key in calling}
    call |= {"eigen_smooth": True} if eigen_smooth else {}
    call |= {"aug_smooth": True} if aug_smooth else {}  # where there is no such thing it says so
    # Shapley-CAM derives a gradient again, which may be a constant but for the parameters.
    with untouched(network, frozen="ShapleyCAM" not in (name, base)):
        layers = [] if name == "FullGrad" else [insert_probe(network, images)]
        for row, target in enumerate(targets.tolist()):
            with running(owner, generator.seed(row), images.device):
                image = images[row : row + 1].detach().clone()
                cam = chosen(network, layers, **{k: v for k, v in given.items() if k in making})
                for key in setting & given.keys():
                    setattr(cam, key, given[key])
                if "target_idx" in calling:
                    call |= {"targets": None, "target_idx": target}
                else:
                    call["targets"] = [library.utils.model_targets.ClassifierOutputTarget(target)]
                maps.append(torch.from_numpy(cam(image, **call)))
    return torch.cat(maps).to(images.device)


def _find_classes(library: Any) -> dict[str, Any]:
    return {
        name: each
        for name, each in vars(library).items()
        if isinstance(each, type) and hasattr(each, "forward")
        if "target_layers" in parameters_of(each)
    }
