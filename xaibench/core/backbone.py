"""Classification networks of torchvision: built, loaded with weights, cut into trunk and head."""

import logging
import re
from collections import OrderedDict
from pathlib import Path
from urllib.error import URLError

import torch
import torchvision
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.known_layers import SEQUENTIAL, known_layer
from xaibench.core.model import IMAGENET_MEAN, IMAGENET_STD, Classifier
from xaibench.core.suggest import did_you_mean

_log = logging.getLogger(__name__)

# They hand out two kinds of logits in training, unless told not to.
_WITHOUT_SECOND_HEAD = {"aux_logits": False, "init_weights": True}
_TWO_HEADED = ("googlenet", "inception_v3")
_SECOND_HEAD = ("AuxLogits.", "aux1.", "aux2.")
# Their ImageNet weights expect pixels from -1 to 1 (torchvision: transform_input). The name decides
# and not whether there are weights, as stored models are built without.
_CENTRED = ("googlenet", "inception_v3", "efficientnet_v2_l")
# DenseNet's weights were stored under names that torch no longer allows.
_OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)")


def build_classifier(name: str, classes: int, weights: str) -> Classifier:
    """Return a torchvision network with a fresh last layer for ``classes``.

    Args:
        name: torchvision's name, such as ``resnet50``.
        classes: number of classes K.
        weights: ``none``, ``imagenet`` or the path of a state dict.

    Raises:
        XaibenchError: the network is unknown, or its weights can't be had.
    """
    network = build_network(name, classes, weights)
    return Classifier(
        network, cam_layer=known_layer(network), pretrained=weights != "none", **normalisation(name)
    )


def normalisation(name: str) -> dict[str, tuple[float, ...]]:
    """Return the ``mean`` and ``std`` of pixels that a network's ImageNet weights expect.

    >>> normalisation("inception_v3")
    {'mean': (0.5, 0.5, 0.5), 'std': (0.5, 0.5, 0.5)}
    """
    if name in _CENTRED:
        return {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    return {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}


def build_network(name: str, classes: int, weights: str) -> nn.Module:
    """Return the whole torchvision network, its last layer replaced, weights loaded.

    Raises:
        XaibenchError: there is no such network, or its weights can't be had.
    """
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        raise XaibenchError(
            f"'{name}' is not a backbone{did_you_mean(name, known)}; take a classification network "
            "of torchvision, such as resnet50, densenet121 or mobilenet_v3_small."
        )
    options = _WITHOUT_SECOND_HEAD if name in _TWO_HEADED else {}
    network: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    _replace_last_layer(network, classes)
    if weights == "imagenet":
        _load(network, _imagenet_weights(name), f"ImageNet weights of {name}")
    elif weights != "none":
        _load(network, _weights_file(Path(weights)), weights)
    return network


def cut_trunk(network: nn.Module) -> nn.Sequential:
    """Return the part of a sequential network up to and with its CAM layer.

    Raises:
        XaibenchError: the network is none of torchvision, or not a sequence up to there.
    """
    layer = known_layer(network) or ""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for name, part in network.named_children():
        parts[name] = part
        if name == layer:
            return nn.Sequential(parts)
    raise XaibenchError(
        f"{type(network).__name__} can't be cut into a trunk and a head; take a backbone of the "
        f"families {', '.join(SEQUENTIAL)}, such as resnet50."
    )


def _replace_last_layer(network: nn.Module, classes: int) -> None:
    name, last = [
        (name, part)
        for name, part in network.named_modules()
        if isinstance(part, (nn.Linear, nn.Conv2d))
    ][-1]
    fresh: nn.Module
    if isinstance(last, nn.Linear):
        fresh = nn.Linear(last.in_features, classes)
    else:
        fresh = nn.Conv2d(last.in_channels, classes, kernel_size=1)
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, fresh)


def _imagenet_weights(name: str) -> dict[str, Tensor]:
    choices = torchvision.models.get_model_weights(name).__members__
    if "IMAGENET1K_V1" not in choices:
        raise XaibenchError(
            f"torchvision has no weights of {name} that were trained on ImageNet alone; train from "
            "scratch with --weights none, or give a state dict with --weights FILE."
        )
    choice = choices["IMAGENET1K_V1"]
    try:
        state: dict[str, Tensor] = choice.get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise XaibenchError(
            f"ImageNet weights of {name} could not be fetched ({error}); train from scratch with "
            "--weights none, or give a state dict with --weights FILE."
        ) from error
    return state


def _weights_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise XaibenchError(f"--weights {path}: no such file (or choose 'imagenet' or 'none').")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise XaibenchError(
            f"--weights {path}: not a state dict that is safe to load "
            f"({str(error).splitlines()[0]}); save it with torch.save(model.state_dict(), FILE)."
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise XaibenchError(f"--weights {path}: holds no state dict (a dictionary of tensors).")
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def _load(network: nn.Module, state: dict[str, Tensor], origin: str) -> None:
    """Load the tensors that fit; name the others."""
    own = network.state_dict()
    state = {_OLD_NAME.sub(r"\1", key): value for key, value in state.items()
             if key in own or not key.startswith(_SECOND_HEAD)}  # fmt: skip
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise XaibenchError(
            f"{origin}: none of its {len(state)} tensors fits {type(network).__name__}; "
            "is it another architecture's?"
        )
    network.load_state_dict(fitting, strict=False)
    left_out = sorted(set(state) - set(fitting))
    if left_out:
        _log.warning("%s: left out, as they don't fit: %s", origin, ", ".join(left_out))
    missing = [k for k in own if k not in fitting and not k.endswith("num_batches_tracked")]
    if missing:
        _log.info("%s: start from random numbers: %s", origin, ", ".join(sorted(missing)))
