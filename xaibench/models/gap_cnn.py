"""A small network that ends with global average pooling, for which CAM was thought up."""

from typing import Any

from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier
from xaibench.core.networks.blocks import small_classifier
from xaibench.core.registry import model


@model(paper="zhou2016cam")
def gap_cnn(classes: int) -> Classifier:
    """Build four blocks of [convolution, batch norm, ReLU] without padding, and one linear layer.

    Max pooling is between the blocks.
    Images of 128 x 128 become 12 x 12 x 128. For two classes it holds 103,010 numbers, of which
    102,498 are learned and 512 are running statistics; each further class adds 129. Images have at
    least 36 pixels a side, and 44 for more than one position.
    """
    features = _Features(
        *_block(3, 32, kernel=1), nn.MaxPool2d(2),
        *_block(32, 32), nn.MaxPool2d(2),
        *_block(32, 64), nn.MaxPool2d(2),
        *_block(64, 128),
    )  # fmt: skip
    return small_classifier(features, nn.Linear(128, classes))


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
