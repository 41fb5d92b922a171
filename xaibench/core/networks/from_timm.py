"""Networks of timm (Wightman 2019): built by its own configurations, with its own weights."""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.pyramid import FeaturePyramid


def names() -> list[str]:
    """Return the names of all networks, without the tags of their weights."""
    known: list[str] = _timm().list_models()
    return known


def build(name: str, classes: int, size: int) -> nn.Module:
    """Return a network without weights.

    Args:
        name: of the network; a tag behind a dot names its weights.
        classes: number of classes.
        size: side of the images, for networks that are built for one size; 0 keeps their own.
    """
    return _create(name, size, num_classes=classes)


def head_of(network: nn.Module) -> str:
    """Return the name of the last layer; of two heads that of the first."""
    cfg: Any = network.pretrained_cfg
    head = cfg["classifier"]
    return str(head if isinstance(head, str) else head[0])


def normalization(name: str) -> dict[str, tuple[float, ...]]:
    """Return the ``mean`` and ``std`` of pixels that a network's weights expect."""
    config = _config(name)
    return {"mean": tuple(config.mean), "std": tuple(config.std)}


def image_size(name: str) -> int:
    """Return the side of the images that its weights have learned from."""
    return int(_config(name).input_size[-1])


def is_of_one_size(name: str) -> bool:
    """Whether it is built for one size, so that weights of another are interpolated."""
    return bool(_config(name).fixed_input_size)


def fit_positions(network: nn.Module, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return a state dict whose position embeddings are those of the network's size.

    Args:
        network: of timm, built for the run's images.
        state: under its own names, of a network that may have been built for others.
    """
    fit = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    own, head = network.state_dict(), head_of(network)
    alike = all(
        own[key].shape == value.shape
        for key, value in state.items()
        if key in own and not key.startswith(head)
    )
    return state if fit is None or alike else fit(dict(state), network)


def fetch_weights(name: str, size: int) -> dict[str, Tensor]:
    """Return the state dict of the weights that timm names first, or that a tag names.

    Position embeddings are resized to the images.

    Raises:
        XaibenchError: there are none, or they can't be fetched.
    """
    if not _config(name).has_weights:
        raise XaibenchError(
            f"timm has no weights of {name}; train from scratch with --weights none, or give a "
            "state dict with --weights FILE."
        )
    try:
        state: dict[str, Tensor] = _create(name, size, pretrained=True).state_dict()
    except Exception as error:  # whatever the hub's client raises
        said = " ".join(str(error).split())[:200]
        raise XaibenchError(
            f"the weights of timm/{name} could not be fetched ({type(error).__name__}: {said}); "
            "train from scratch with --weights none, or give a state dict with --weights FILE."
        ) from error
    return state


def build_pyramid(network: nn.Module, count: int) -> tuple[FeaturePyramid, list[int]]:
    """Return the last ``count`` levels of a network as a trunk, and the channels of each.

    Raises:
        XaibenchError: the network doesn't hand out its levels.
    """
    info = getattr(network, "feature_info", None)
    if not info or not hasattr(network, "forward_intermediates") or len(info) < count:
        raise XaibenchError(
            f"{type(network).__name__} of timm doesn't hand out {count} levels; take another "
            "backbone, such as timm/resnet50 or timm/tf_efficientnet_lite0."
        )
    prune: Any = network.prune_intermediate_layers
    prune(indices=count, prune_norm=True, prune_head=True)
    channels = [each["num_chs"] for each in list(info)[-count:]]
    return FeaturePyramid(network, count), channels


def _create(name: str, size: int, **options: Any) -> nn.Module:
    sized: Mapping[str, int] = {"img_size": size} if size and _config(name).fixed_input_size else {}
    network: nn.Module = _timm().create_model(name, **sized, **options)
    return network


def _config(name: str) -> Any:
    return _timm().get_pretrained_cfg(name, allow_unregistered=False)


def _timm() -> Any:
    return importlib.import_module("timm")  # which takes two seconds
