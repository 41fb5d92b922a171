"""Every layer of a network: what it gives for one image, and how many parameters it has."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from xaibench.core.model import Model, evaluating
from xaibench.core.passes.layer_names import short_name
from xaibench.core.passes.trees import leaves_of

_RUNNING = ("running_mean", "running_var")
_WRAPPER = "network"


class LayerRow(NamedTuple):
    """One layer, or a part that holds others.

    Attributes:
        name: as users know it.
        kind: its class.
        shape: of its first tensor for one image, without the batch; None where it gives none.
        parameters: numbers that it and its parts hold.
        inner: whether it holds other layers.
        turn: as the how manieth it began to run; -1 if it didn't.
    """

    name: str
    kind: str
    shape: tuple[int, ...] | None
    parameters: int
    inner: bool
    turn: int


class Size(NamedTuple):
    """What a network holds: ``statistics`` are running means and variances of batch norms."""

    parameters: int
    trainable: int
    statistics: int


def list_layers(model: Model, images: Tensor) -> list[LayerRow]:
    """Return all parts of a model in the order of their definition, after one pass.

    Args:
        model: is left as it was.
        images: ``(1, C, H, W)``.
    """
    parts = {name: part for name, part in model.named_modules() if name not in ("", _WRAPPER)}
    turns: dict[str, int] = {}
    shapes: dict[str, tuple[int, ...] | None] = {}

    def begin(name: str, *_: object) -> None:
        turns.setdefault(name, len(turns))

    def end(name: str, _part: object, _given: object, found: object) -> None:
        shapes.setdefault(name, _shape(found))

    handles = [
        handle
        for name, part in parts.items()
        for handle in (
            part.register_forward_pre_hook(partial(begin, name)),
            part.register_forward_hook(partial(end, name)),
        )
    ]
    try:
        with torch.no_grad(), evaluating(model):
            model.outputs(images, saliency="saliency" in model.abilities)
    finally:
        for handle in handles:
            handle.remove()
    return [
        LayerRow(
            short_name(name),
            type(part).__name__,
            shapes.get(name),
            _count(part.parameters()),
            any(True for _ in part.children()),
            turns.get(name, -1),
        )
        for name, part in parts.items()
    ]


def size_of(model: nn.Module) -> Size:
    """Count what a model holds; what several layers share counts once."""
    parameters = list(model.parameters())
    statistics = [b for name, b in model.named_buffers() if name.endswith(_RUNNING)]
    return Size(
        _count(parameters), _count(p for p in parameters if p.requires_grad), _count(statistics)
    )


def stages(rows: Sequence[LayerRow], most: int) -> list[LayerRow]:
    """Return what ran, in that order: parts are opened, level by level, while it isn't too much."""
    ran = [row for row in rows if row.turn >= 0 and row.shape is not None]
    chosen = [row for row in ran if not _within(row, ran)]
    opened = chosen
    while len(opened) <= most:
        chosen = opened
        inside = [row for row in ran if _within(row, chosen)]
        children = [row for row in inside if not _within(row, inside)]
        closed = [row for row in chosen if not any(_within(child, [row]) for child in children)]
        opened = closed + children
        if not children:
            break
    return sorted(chosen, key=lambda row: row.turn)


def _within(row: LayerRow, parts: Sequence[LayerRow]) -> bool:
    return any(row.name.startswith(f"{part.name}.") for part in parts)


def _shape(found: object) -> tuple[int, ...] | None:
    tensors = [leaf for leaf in leaves_of(found) if isinstance(leaf, Tensor)]
    return tuple(tensors[0].shape[1:]) if tensors else None


def _count(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)
