"""Any attribution class of captum, by its name."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.attribution import Polarity, fold_channels
from xaibench.core.baselines import baseline_of
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
from xaibench.core.superpixels import find_superpixels

_OURS = {
    "self",
    "model",
    "forward_func",
    "layer",
    "device_ids",
    "inputs",
    "target",
    "additional_forward_args",
    "attribution_method",
    "nt_samples",
}
# Classes that can't do without any other argument don't explain a class of an image.
_FILLED_IN = (_OURS - {"attribution_method"}) | {"baselines", "sliding_window_shapes"}
# They exchange values between images, and each is explained on its own.
_EXCHANGING = {"FeaturePermutation", "LayerFeaturePermutation"}
# How strongly the logit answers to a pixel: the strongest channel counts, as in `gradient`.
_SENSITIVITIES = {"Saliency", "Deconvolution", "GuidedBackprop", "GuidedGradCam"}
_BATCHED = ("internal_batch_size", "perturbations_per_eval", "nt_samples_batch_size")


@method(paper="kokhlikyan2020captum", sign="none", wraps="captum")
def captum(
    images: Tensor,
    targets: Tensor,
    network: Model,
    generator: BatchGenerator,
    *,
    name: str = "IntegratedGradients",
    arguments: tuple[str, ...] = (),
    smooth: int = 0,
    segments: int = 50,
    part: Polarity | None = None,
) -> Tensor:
    """Return the attributions of a class of ``captum.attr``, folded over channels, (B, h, w).

    Options:
        name: the class; layers' classes explain the CAM layer.
        arguments: of the class or of its ``attribute``, as name:value+name:value.
        smooth: noisy copies to average over by ``NoiseTunnel``, which takes arguments, too.
        segments: superpixels to aim at, where parts of the image are switched off and on;
            ``ShapleyValues`` tries all orders, and gets quarters.
        part: the part of the sum over channels that is kept; none takes what suits the class.
    """
    owner, maps = f"captum[name={name}]", []
    library = import_peer("captum.attr")
    chosen = choose_class(owner, _find_classes(library), name)
    layered = issubclass(chosen, library.LayerAttribution)
    making, calling = parameters_of(chosen), parameters_of(chosen.attribute)
    if smooth:
        calling |= parameters_of(library.NoiseTunnel.attribute)
    given = parse_arguments(owner, arguments, (making | calling) - _OURS)
    made = {key: value for key, value in given.items() if key in making}
    with untouched(network):
        if "layer" in making:
            made["layer"] = insert_probe(network, images)
        for row, target in enumerate(targets.tolist()):
            with running(owner, generator.seed(row), images.device):
                image = images[row : row + 1].detach().clone().requires_grad_()
                explainer = chosen(network, **made)
                if isinstance(explainer, library.LRP):
                    _let_relevance_through(network)
                call = {"target": target} | _fill_in(library, explainer, image, segments)
                if "sliding_window_shapes" in given:
                    del call["strides"]
                if smooth:
                    explainer = library.NoiseTunnel(explainer)
                    call |= {"nt_samples": smooth, "stdevs": 0.1}
                call = {key: value for key, value in call.items() if key in calling}
                call |= {key: value for key, value in given.items() if key not in making}
                found = explainer.attribute(image, **call)
                found = found[0] if isinstance(found, tuple) else found
                maps.append(_fold(found.detach().float(), name, layered, part))
    return torch.cat(maps)


def _find_classes(library: Any) -> dict[str, Any]:
    return {
        name: each
        for name, each in vars(library).items()
        if isinstance(each, type) and issubclass(each, library.Attribution)
        if hasattr(each, "attribute") and name not in _EXCHANGING
        if parameters_of(each, required=True) <= _FILLED_IN
        if parameters_of(each.attribute, required=True) <= _FILLED_IN
    }


def _fill_in(library: Any, explainer: Any, image: Tensor, segments: int) -> dict[str, Any]:
    """Return what classes need, and what they would take for ever without."""
    values: dict[str, Any] = dict.fromkeys(_BATCHED, 16)
    channels, (height, width) = image.shape[1], image.shape[2:]
    if isinstance(explainer, library.Occlusion):
        side = max(min(height, width) // 8, 1)
        values["sliding_window_shapes"] = (channels, side, side)
        values["strides"] = (channels, max(side // 2, 1), max(side // 2, 1))
    elif isinstance(explainer, library.PerturbationAttribution):
        values["feature_mask"] = find_superpixels(image[0], segments)[None, None]
    if isinstance(explainer, library.ShapleyValues):
        quarters = torch.arange(4.0, device=image.device).view(1, 1, 2, 2)
        values["feature_mask"] = functional.interpolate(quarters, (height, width)).long()
    if isinstance(explainer, library.LayerFeatureAblation):
        found = library.LayerActivation(explainer.forward_func, explainer.layer).attribute(image)
        rows, columns = found.shape[2:]
        places = torch.arange(rows * columns, device=image.device)
        values["layer_mask"] = places.view(1, 1, rows, columns)
    if "baselines" in parameters_of(explainer.attribute, required=True):
        values["baselines"] = torch.cat([baseline_of(image, b) for b in ("black", "mean", "blur")])
        values["draw_baseline_from_distrib"] = True  # one for each noisy copy
    return values


def _let_relevance_through(network: nn.Module) -> None:
    """Give layers that only pass values on a rule, which captum has for none of them."""
    rules = import_peer("captum.attr._utils.lrp_rules")
    for part in network.modules():
        if isinstance(part, (nn.Flatten, nn.Identity)):
            vars(part)["rule"] = rules.EpsilonRule()


def _fold(found: Tensor, name: str, layered: bool, part: Polarity | None) -> Tensor:
    if part is None and name in _SENSITIVITIES:
        return found.abs().amax(dim=1)
    if part is None and layered:
        part = "positive" if name == "LayerGradCam" else "signed"
    return fold_channels(found, part or "absolute")
