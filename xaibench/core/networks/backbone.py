"""Classification networks of torchvision: built, loaded with weights, cut into trunk and head."""

from collections import OrderedDict
from itertools import pairwise
from typing import TypedDict

import torchvision
from torch import nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import IMAGENET_MEAN, IMAGENET_STD, Classifier
from xaibench.core.networks.known_layers import SEQUENTIAL, known_layer
from xaibench.core.networks.weights import load_weights
from xaibench.core.suggest import did_you_mean

# They hand out two kinds of logits in training, unless told not to.
_WITHOUT_SECOND_HEAD = {"aux_logits": False, "init_weights": True}
_TWO_HEADED = ("googlenet", "inception_v3")
# Their ImageNet weights expect pixels from -1 to 1 (torchvision: transform_input). The name decides
# and not whether there are weights, as stored models are built without.
_CENTRED = ("googlenet", "inception_v3", "efficientnet_v2_l")


class Transfer(TypedDict, total=False):
    """How a network of torchvision takes up new classes: the options of all such models.

    Options:
        frozen: all but the new head keeps its weights and the statistics of its batch norms.
        hidden: width of a fresh layer before the last one; 0: there is none.
        dropout: in training, the share of what each of the head's layers sees that is dropped, on
            top of the network's own.
    """

    frozen: bool
    hidden: int
    dropout: float


def build_classifier(
    name: str,
    classes: int,
    weights: str,
    *,
    frozen: bool = False,
    hidden: int = 0,
    dropout: float = 0.0,
) -> Classifier:
    """Return a torchvision network with a fresh head, by default one layer, for ``classes``.

    Args:
        name: torchvision's name, such as ``resnet50``.
        classes: number of classes K.
        weights: ``none``, ``imagenet`` or the path of a state dict.
        frozen: see `Transfer`.
        hidden: see `Transfer`.
        dropout: see `Transfer`, in [0, 1).

    Raises:
        XaibenchError: the network is unknown, its weights can't be had, or an option is out of
            range.
    """
    if hidden < 0 or not 0 <= dropout < 1:
        raise XaibenchError(
            f"{name}[hidden={hidden},dropout={dropout}]: 'hidden' can't be negative, and 'dropout' "
            "is at least 0 and below 1."
        )
    network, head = _build(name, classes, weights, hidden, dropout)
    return Classifier(
        network, cam_layer=known_layer(network), head=head, frozen=frozen,
        pretrained=weights != "none", output="logits", **normalisation(name),
    )  # fmt: skip


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
    return _build(name, classes, weights, hidden=0, dropout=0.0)[0]


def _build(
    name: str, classes: int, weights: str, hidden: int, dropout: float
) -> tuple[nn.Module, str]:
    """Return the network and the name of its head."""
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        raise XaibenchError(
            f"'{name}' is not a backbone{did_you_mean(name, known)}; take a classification network "
            "of torchvision, such as resnet50, densenet121 or mobilenet_v3_small."
        )
    options = _WITHOUT_SECOND_HEAD if name in _TWO_HEADED else {}
    network: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    head = _replace_last_layer(network, classes, hidden, dropout)
    load_weights(network, name, weights)
    return network, head


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


def _replace_last_layer(network: nn.Module, classes: int, hidden: int, dropout: float) -> str:
    """Put a fresh head in the last layer's place, and return its name."""
    layers: dict[str, nn.Linear | nn.Conv2d] = {
        name: part
        for name, part in network.named_modules()
        if isinstance(part, (nn.Linear, nn.Conv2d))
    }
    name, last = layers.popitem()
    widths = [last.in_features if isinstance(last, nn.Linear) else last.in_channels]
    widths += [hidden, classes] if hidden else [classes]
    parts: list[nn.Module] = []
    for wide, narrow in pairwise(widths):
        parts += [nn.ReLU()] if parts else []
        parts += [nn.Dropout(dropout)] if dropout else []
        # SqueezeNet scores each position, and pools the scores.
        parts.append(
            nn.Linear(wide, narrow) if isinstance(last, nn.Linear)
            else nn.Conv2d(wide, narrow, kernel_size=1)
        )  # fmt: skip
    parent, _, child = name.rpartition(".")
    head = parts[0] if len(parts) == 1 else nn.Sequential(*parts)
    setattr(network.get_submodule(parent), child, head)
    return name
