"""Small networks as backbones, by the bare names of their models."""

from collections.abc import Callable

from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.from_torchvision import head_of
from xaibench.core.networks.small import SMALL_MEAN, SMALL_STD, GapCnn

__all__ = ["build", "fetch_weights", "head_of", "image_size", "is_of_one_size", "normalization"]

NETWORKS: dict[str, Callable[[int], nn.Module]] = {"gap_cnn": GapCnn}


def build(name: str, classes: int, size: int) -> nn.Module:  # noqa: ARG001 (as of all sources)
    """Return a network without weights."""
    return NETWORKS[name](classes)


def normalization(name: str) -> dict[str, tuple[float, ...]]:  # noqa: ARG001 (as of all sources)
    """Return the ``mean`` and ``std`` that put pixels into [-1, 1]."""
    return {"mean": SMALL_MEAN, "std": SMALL_STD}


def image_size(name: str) -> int | None:
    """Return None: they come without weights, and take images of any size."""


def is_of_one_size(name: str) -> bool:  # noqa: ARG001 (as of all sources)
    """Return False: they take images of any size."""
    return False


def fetch_weights(name: str, size: int) -> dict[str, Tensor]:  # noqa: ARG001 (as of all sources)
    """Refuse: nobody has trained them on ImageNet.

    Raises:
        XaibenchError: always.
    """
    raise XaibenchError(
        f"{name} comes without ImageNet weights; train it from scratch with --weights none, or "
        "give a state dict with --weights FILE."
    )
