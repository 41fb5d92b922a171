"""What the operations around a tensor tell of its axes: channels, rows and columns, tokens.

The graph of a pass is followed from the tensor to what it was made from and to what is made of it,
axis by axis. The image's proportions tell nothing, as strides may differ by direction.
"""

from collections import deque
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from torch.autograd.graph import Node

from xaibench.core.passes.axes import links, signed
from xaibench.core.passes.graph import Graph, Vertex, inputs_of, operation

# For each axis of the tensor: which axis of another tensor it is, the tensor's position minus the
# other's, and the first and last of the tensor's positions that the other has.
_Axes = dict[int, tuple[int, int, int, int]]

_IMAGE_LIKE, _MATRIX, _PAIR = 4, 2, 2
_CHANNELS_FIRST = (
    "Convolution", "NativeBatchNorm", "CudnnBatchNorm", "MiopenBatchNorm", "NativeGroupNorm",
    "AvgPool2D", "MaxPool2D", "MaxPool2DWithIndices", "AdaptiveAvgPool2D", "AdaptiveMaxPool2D",
    "UpsampleNearest2D", "UpsampleNearestExact2D", "UpsampleBilinear2D", "UpsampleBilinear2DAa",
    "UpsampleBicubic2D", "UpsampleBicubic2DAa", "PixelShuffle", "PixelUnshuffle",
    "ReflectionPad2D", "ReplicationPad2D",
)  # fmt: skip
_LAYER_NORMS = ("NativeLayerNorm", "FusedRmsNorm")
_REDUCTIONS = ("Mean", "Sum", "Amax")
_MATRIX_PRODUCTS = ("Addmm", "Mm")


class Channels(NamedTuple):
    """An axis that is normalized or convolved as channels."""

    axis: int


class Features(NamedTuple):
    """An axis that a linear layer works on: channels, but where one mixes tokens."""

    axis: int


class Plane(NamedTuple):
    """Two axes that are the rows and the columns of a map."""

    rows: int
    columns: int


class Grid(NamedTuple):
    """An axis that holds, from a position on, a map's rows one after the other."""

    axis: int
    first: int
    size: tuple[int, int]


def findings(graph: Graph, tensor: Vertex) -> Iterator[Channels | Features | Plane | Grid]:
    """Yield what the operations before and behind a tensor tell of its axes, the nearest first."""
    start = {axis: (axis, 0, 0, tensor.shape[axis]) for axis in range(1, len(tensor.shape))}
    # A tensor that was cut and joined again is met once for each of its parts.
    seen, left = {(tensor, *start.items())}, deque([(tensor, start)])
    while left:
        vertex, axes = left.popleft()
        for role in _roles(graph, vertex):
            back = {axis: ours for ours, (axis, *_) in axes.items()}
            if all(axis in back for axis in role):
                yield type(role)(*(back[axis] for axis in role))
        for other, ways in _around(graph, vertex):
            yield from _grids(axes, ways)
            moved = _move(axes, ways)
            state = (other, *moved.items())
            if moved and state not in seen:
                seen.add(state)
                left.append((other, moved))


def map_sizes(graph: Graph) -> set[tuple[int, int]]:
    """Return the sizes (h, w) of all maps that convolutions gave."""
    shapes = [Vertex(node, 0).shape for node in graph.nodes if operation(node) == "Convolution"]
    return {(shape[2], shape[3]) for shape in shapes if len(shape) == _IMAGE_LIKE}


class _Way(NamedTuple):
    """Axes here, the axes there, their sizes there, and the position here minus that there."""

    here: tuple[int, ...]
    there: tuple[int, ...]
    sizes: tuple[int, ...]
    shift: int


def _around(graph: Graph, vertex: Vertex) -> Iterator[tuple[Vertex, list[_Way]]]:
    """Yield the tensors one operation away, and how axes lead there."""
    for place, taken in enumerate(inputs_of(vertex.node)):
        if taken is not None and not _weighs(vertex.node, place, taken):
            found = links(vertex.node, place, vertex.shape, vertex.number)
            yield taken, [_way(w.given, w.taken, taken.shape, w.shift) for w in found]
    for node, place in graph.uses.get(vertex, ()):
        if not _weighs(node, place, vertex):
            for number in range(len(node._input_metadata)):
                given = Vertex(node, number)
                found = links(node, place, given.shape, number)
                yield given, [_way(w.taken, w.given, given.shape, -w.shift) for w in found]


def _way(here: tuple[int, ...], there: tuple[int, ...], shape: tuple[int, ...], shift: int) -> _Way:
    return _Way(here, there, tuple(shape[axis] for axis in there), shift)


def _weighs(node: Node, place: int, taken: Vertex) -> bool:
    """Whether an operation takes a tensor as weights."""
    parts = _CHANNELS_FIRST + _LAYER_NORMS
    return operation(taken.node) == "AccumulateGrad" or (operation(node) in parts and place > 0)


def _grids(axes: _Axes, ways: list[_Way]) -> Iterator[Grid]:
    for ours, (axis, shift, low, high) in axes.items():
        for way in ways:
            whole = low <= shift and shift + prod(way.sizes) <= high
            if way.here == (axis,) and len(way.there) == _PAIR and whole:
                yield Grid(ours, shift, (way.sizes[0], way.sizes[1]))


def _move(axes: _Axes, ways: list[_Way]) -> _Axes:
    moved: _Axes = {}
    for ours, (axis, shift, low, high) in axes.items():
        for way in ways:
            if way.here == (axis,) and len(way.there) == 1:
                there = shift + way.shift
                first, last = max(low, there), min(high, there + way.sizes[0])
                if first < last:
                    moved[ours] = way.there[0], there, first, last
    return moved


def _roles(graph: Graph, vertex: Vertex) -> Iterator[Channels | Features | Plane]:
    """Yield what the operations that make and that take a tensor tell of its own axes."""
    rank = len(vertex.shape)
    yield from _of_layer(vertex.node, rank)
    if rank > _MATRIX and _is_product(graph, vertex):
        yield Features(rank - 1)
    for node, place in graph.uses.get(vertex, ()):
        name = operation(node)
        if not place:
            yield from _of_layer(node, rank)
        if name in _REDUCTIONS and rank == _IMAGE_LIKE and hasattr(node, "_saved_dim"):
            dims = sorted(dim % rank for dim in signed(node, "_saved_dim"))
            if len(dims) == _PAIR:
                yield Plane(*dims)


def _of_layer(node: Node, rank: int) -> Iterator[Channels | Plane]:
    name = operation(node)
    if name in _CHANNELS_FIRST and rank > _MATRIX:
        yield Channels(1)
        if rank == _IMAGE_LIKE:
            yield Plane(2, 3)
    elif name in _LAYER_NORMS:
        length = len(signed(node, "_saved_normalized_shape"))
        if length == 1:
            yield Channels(rank - 1)
        elif rank == _IMAGE_LIKE:
            yield Plane(2, 3)


def _is_product(graph: Graph, vertex: Vertex) -> bool:
    """Whether a tensor comes from a linear layer, or enters one, but for a view as a matrix."""
    made = [taken for taken in inputs_of(vertex.node) if taken is not None]
    if made and operation(made[0].node) in _MATRIX_PRODUCTS:
        return vertex.shape[-1] == made[0].shape[-1]
    return any(
        len(matrix.shape) == _MATRIX
        and matrix.shape[-1] == vertex.shape[-1]
        and any(operation(use.node) in _MATRIX_PRODUCTS for use in graph.uses.get(matrix, ()))
        for node, _ in graph.uses.get(vertex, ())
        for matrix in [Vertex(node, 0)]
    )
