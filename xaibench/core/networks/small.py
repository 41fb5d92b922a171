"""Small networks written here: models of their own, and backbones by their bare names."""

from typing import Any

from torch import Tensor, nn

from xaibench.core.errors import XaibenchError

SMALL_MEAN = SMALL_STD = (0.5,) * 3
"""Mean and standard deviation that put pixels into [-1, 1], as small networks read them."""


class GapCnn(nn.Sequential):
    """Four blocks of [convolution, batch norm, ReLU], global average pooling, one linear layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = _Features(
            *_block(3, 32, kernel=1), nn.MaxPool2d(2),
            *_block(32, 32), nn.MaxPool2d(2),
            *_block(32, 64), nn.MaxPool2d(2),
            *_block(64, 128),
        )  # fmt: skip
        self.pool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.classifier = nn.Sequential(nn.Linear(128, classes))


class _Features(nn.Sequential):
    """The four blocks; they refuse weights that an earlier order of their layers has learned."""

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        if f"{prefix}2.running_mean" in state:
            raise XaibenchError(
                "these weights are those of the earlier gap_cnn, whose ReLU was before its batch "
                "norm; train it again."
            )
        super()._load_from_state_dict(state, prefix, *rest)


def _block(wide: int, narrow: int, *, kernel: int = 3) -> tuple[nn.Module, ...]:
    return nn.Conv2d(wide, narrow, kernel), nn.BatchNorm2d(narrow), nn.ReLU()
