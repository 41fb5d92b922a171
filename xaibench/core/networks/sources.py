"""Where a network comes from: timm/NAME, hf/NAME, a small one of ours, or torchvision."""

from typing import Protocol

from torch import Tensor, nn

from xaibench.core.networks import from_hf, from_small, from_timm, from_torchvision


class Library(Protocol):
    """What each library's module can do; names are without the prefix, sizes are the images'."""

    def build(self, name: str, classes: int, size: int) -> nn.Module:
        """Return a network without weights."""

    def head_of(self, network: nn.Module) -> str:
        """Return the name of the layer that gives the logits."""

    def normalization(self, name: str) -> dict[str, tuple[float, ...]]:
        """Return the ``mean`` and ``std`` of pixels that the library's weights expect."""

    def image_size(self, name: str) -> int | None:
        """Return the side of the images that the library's weights have learned from, if known."""

    def is_of_one_size(self, name: str) -> bool:
        """Whether weights are interpolated where the images are of another size."""

    def fetch_weights(self, name: str, size: int) -> dict[str, Tensor]:
        """Return the state dict that the library has for it."""


TIMM, HF = "timm/", "hf/"
_SOURCES: dict[str, Library] = {TIMM: from_timm, HF: from_hf, "": from_torchvision}


def source_of(name: str) -> tuple[Library, str]:
    """Return the library's module, and the name without its prefix.

    >>> source_of("timm/resnet10t")[1], source_of("resnet18")[1]
    ('resnet10t', 'resnet18')
    """
    if name in from_small.NETWORKS:
        return from_small, name
    prefix = next(each for each in _SOURCES if name.startswith(each))
    return _SOURCES[prefix], name.removeprefix(prefix)
