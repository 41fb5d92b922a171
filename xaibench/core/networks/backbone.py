"""Classification networks by name: built, loaded with weights, cut into trunk and head."""

from collections import OrderedDict
from itertools import pairwise
from typing import Any, TypedDict

from torch import nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier
from xaibench.core.networks.channels import COLORS, check_channels, read_channels
from xaibench.core.networks.known_layers import SEQUENTIAL, known_layer
from xaibench.core.networks.sources import source_of
from xaibench.core.networks.weights import load_weights


class Transfer(TypedDict, total=False):
    """How a network takes up new classes: the options of all that are known by name.

    Options:
        frozen: all but the new head keeps its weights and the statistics of its batch norms.
        hidden: width of a fresh layer before the last one; 0: there is none.
        dropout: in training, the share of what each of the head's layers sees that is dropped, on
            top of the network's own.
        channels: that its first layer reads: 1 is the images' luminance, as networks of gray images
            see it, and pretrained weights are summed over colors; for images of n channels it is n,
            and weights are repeated and scaled by 3/n; 0: red, green and blue.
    """

    frozen: bool
    hidden: int
    dropout: float
    channels: int


def build_classifier(
    name: str,
    classes: int,
    weights: str,
    size: int = 0,
    *,
    frozen: bool = False,
    hidden: int = 0,
    dropout: float = 0.0,
    channels: int = 0,
) -> Classifier:
    """Return a network with a fresh head, by default one layer, for ``classes``.

    Args:
        name: torchvision's, such as ``resnet50``, or ``timm/NAME`` or ``hf/NAME``.
        classes: number of classes K.
        weights: ``none``, ``imagenet`` or the path of a state dict.
        size: side of the images, for networks of timm that are built for one size.
        frozen: see `Transfer`.
        hidden: see `Transfer`.
        dropout: see `Transfer`, in [0, 1).
        channels: see `Transfer`.

    Raises:
        XaibenchError: the network is unknown, its weights can't be had, or an option is out of
            range.
    """
    if hidden < 0 or not 0 <= dropout < 1:
        raise XaibenchError(
            f"{name}[hidden={hidden},dropout={dropout}]: 'hidden' can't be negative, and 'dropout' "
            "is at least 0 and below 1."
        )
    network, head = _build(name, classes, weights, size, channels, hidden, dropout)
    return Classifier(
        network, cam_layer=known_layer(network), head=head, frozen=frozen,
        **about(name, weights, channels), output="logits",
    )  # fmt: skip


def about(name: str, weights: str, channels: int = 0) -> dict[str, Any]:
    """Return what `Model` is to know of a network: normalization, channels, earlier training."""
    told = {"pretrained": weights != "none", "image_channels": check_channels(name, channels)}
    return {**told, **normalization(name)}


def normalization(name: str) -> dict[str, tuple[float, ...]]:
    """Return the ``mean`` and ``std`` of pixels that a network's own weights expect.

    >>> normalization("inception_v3")
    {'mean': (0.5, 0.5, 0.5), 'std': (0.5, 0.5, 0.5)}
    """
    source, own = source_of(name)
    return source.normalization(own)


def build_network(
    name: str, classes: int, weights: str, size: int = 0, channels: int = 0
) -> nn.Module:
    """Return the whole network, its last layer replaced, weights loaded; arguments as above.

    Raises:
        XaibenchError: there is no such network, or its weights can't be had.
    """
    return _build(name, classes, weights, size, channels)[0]


def _build(
    name: str,
    classes: int,
    weights: str,
    size: int,
    channels: int,
    hidden: int = 0,
    dropout: float = 0.0,
) -> tuple[nn.Module, str]:
    """Return the network and the name of its head."""
    source, own = source_of(name)
    network = source.build(own, classes, size)
    place = source.head_of(network)
    _replace_layer(network, place, classes, hidden, dropout)
    if (read := check_channels(name, channels)) != COLORS:
        read_channels(network, read)
    load_weights(network, name, weights, size)
    return network, place


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


def _replace_layer(
    network: nn.Module, name: str, classes: int, hidden: int, dropout: float
) -> None:
    """Put a fresh head in the last layer's place."""
    last = network.get_submodule(name)
    if not isinstance(last, nn.Linear | nn.Conv2d):
        raise XaibenchError(
            f"{type(network).__name__}: its last layer {name} is a {type(last).__name__}, which "
            "can't be made for other classes; take another network."
        )
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
