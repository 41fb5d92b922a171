"""Any method of PAIR's saliency library, by its class's name."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
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

_OURS = {"self", "x_value", "call_model_function", "call_model_args", "x_baseline", "baselines"}
# They read a layer's gradients, or the class's number from a layer that only the library knows.
_LAYERED = {"GradCam"}


@method(paper="kapishnikov2021guidedig", family="gradient", sign="none", wraps="saliency")
def saliency_lib(
    images: Tensor,
    targets: Tensor,
    network: Model,
    generator: BatchGenerator,
    *,
    name: str = "IntegratedGradients",
    arguments: tuple[str, ...] = (),
    smooth: bool = False,
    part: Polarity = "absolute",
) -> Tensor:
    """Return the attributions of a class of ``saliency.core``, folded over channels, (B, H, W).

    Options:
        name: the class.
        arguments: of its ``GetMask``, as name:value+name:value.
        smooth: average over noisy copies by ``GetSmoothedMask``.
        part: the part of the sum over channels that is kept.
    """
    owner, maps = f"saliency_lib[name={name}]", []
    library = import_peer("saliency.core")
    library.guided_ig.np = SimpleNamespace(**{**vars(np), "quantile": _quantile})
    chosen = choose_class(owner, _find_classes(library), name)
    calling = parameters_of(chosen.GetMask)
    extra = parameters_of(chosen.GetSmoothedMask) if smooth else set()
    given = parse_arguments(owner, arguments, (calling | extra) - _OURS)
    with untouched(network):
        for row, target in enumerate(targets.tolist()):
            with running(owner, generator.seed(row), images.device):
                image = images[row].detach().permute(1, 2, 0).cpu().numpy()
                call = dict(given)
                if "x_baseline" in calling:
                    call["x_baseline"] = np.zeros_like(image)
                explainer = chosen()
                explain = explainer.GetSmoothedMask if smooth else explainer.GetMask
                found = explain(image, _answers(library, network, target, images), **call)
                found = found if found.ndim == image.ndim else found[..., None]
                maps.append(torch.from_numpy(np.ascontiguousarray(found)).permute(2, 0, 1))
    return fold_channels(torch.stack(maps).to(images), part)


def _quantile(values: Any, share: float, *, interpolation: Any) -> Any:
    """Return numpy's quantile, called as Guided IG does; numpy 2.4 says ``method`` alone."""
    return np.quantile(values, share, method=interpolation)


def _find_classes(library: Any) -> dict[str, Any]:
    return {
        name: each
        for name, each in vars(library).items()
        if isinstance(each, type) and issubclass(each, library.CoreSaliency)
        if each is not library.CoreSaliency and name not in _LAYERED
    }


def _answers(
    library: Any, network: Model, target: int, like: Tensor
) -> Callable[..., dict[str, Any]]:
    """Return what the library asks the network: images ``(n, H, W, C)`` -> what it expects."""

    def answer(images: Any, **_: object) -> dict[str, Any]:
        leaves = torch.as_tensor(np.asarray(images)).to(like).permute(0, 3, 1, 2).requires_grad_()
        chosen = network(leaves)[:, target]
        (found,) = torch.autograd.grad(chosen.sum(), leaves)
        return {
            library.OUTPUT_LAYER_VALUES: chosen.detach().cpu().numpy(),
            library.INPUT_OUTPUT_GRADIENTS: found.permute(0, 2, 3, 1).cpu().numpy(),
        }

    return answer
