"""A trunk whose last stage keeps the resolution of the one before: maps of four times the cells."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import evaluating
from xaibench.core.networks.channels import channels_of

# As the stages are looked for.
_LOOK = 224
_HALVES = 2
_Layer = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d


@dataclass(frozen=True)
class _Seen:
    """A layer that ran, and the rows of what went in and what came out."""

    layer: _Layer
    rows_in: int
    rows_out: int


def keep_resolution(trunk: nn.Module, stride: int) -> nn.Module:
    """Change a trunk in place until each cell of its map stands for ``stride`` pixels a side.

    Layers that halve the resolution for the last time do so no longer: convolutions go by single
    steps, and those behind them see every second position, so that each weight meets what it met
    before (chen2018deeplab); poolings are left out. Where cells are small enough nothing changes.

    Raises:
        XaibenchError: the trunk's last resolution comes about in another way.
    """
    while _HALVES * (rows := _rows(trunk)) * stride <= _LOOK:
        _undo_last_halving(trunk, rows)
        try:
            kept = _rows(trunk)
        except RuntimeError:  # branches that no longer fit each other
            kept = 0
        if kept != _HALVES * rows:
            raise XaibenchError(
                f"the resolution of this backbone can't be kept at a stride of {stride}; take "
                "stride=32, or another backbone, such as resnet50."
            )
    return trunk


def _rows(trunk: nn.Module) -> int:
    with torch.no_grad(), evaluating(trunk):
        return int(trunk(torch.zeros(1, channels_of(trunk), _LOOK, _LOOK)).shape[2])


def _undo_last_halving(trunk: nn.Module, rows: int) -> None:
    for seen in _watch(trunk):
        layer = seen.layer
        if seen.rows_out == rows < seen.rows_in:
            if isinstance(layer, nn.Conv2d):
                layer.stride = (1, 1)
                _pad_as_needed(layer)
            else:
                layer.stride, layer.kernel_size, layer.padding = 1, 1, 0
        elif seen.rows_in == rows and isinstance(layer, nn.Conv2d):
            layer.dilation = (_HALVES * layer.dilation[0], _HALVES * layer.dilation[1])
            _pad_as_needed(layer)


def _watch(trunk: nn.Module) -> list[_Seen]:
    """Return what each convolution and pooling did to one picture, in the order they ran."""
    seen: list[_Seen] = []

    def note(layer: _Layer, inputs: tuple[Tensor], output: Tensor) -> None:
        seen.append(_Seen(layer, inputs[0].shape[2], output.shape[2]))

    handles = [
        part.register_forward_hook(note) for part in trunk.modules() if isinstance(part, _Layer)
    ]
    try:
        _rows(trunk)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _pad_as_needed(layer: nn.Conv2d) -> None:
    if type(layer) is nn.Conv2d:  # those of TensorFlow's networks pad by themselves
        layer.padding = "same"
