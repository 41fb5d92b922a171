"""Whether a network moves the image before its first convolution: maps then lie elsewhere."""

from collections.abc import Iterator

import torch
from torch import Tensor

from xaibench.core.passes.graph import Graph, Vertex, operation

_IMAGE_LIKE = 4
_LAYERS = ("Addmm", "Baddbmm", "Bmm", "Convolution", "Linear", "Mm", "NativeLayerNorm")
# A pixel that hardly counts tells no place.
_LEAST = 1e-3


def moves_image(graph: Graph, size: tuple[int, int]) -> bool:
    """Whether what a convolution gets is a flipped, cropped, padded or warped image.

    A stretched image doesn't count, nor one that is moved by less than a position of the map, as
    where strides don't divide the image's sides.

    Args:
        graph: of a pass.
        size: of the map, (h, w).
    """
    return any(
        _offset(graph, vertex, axis) > vertex.shape[axis] / cells
        for vertex in _entering(graph)
        for axis, cells in zip((2, 3), size, strict=True)
    )


def _entering(graph: Graph) -> Iterator[Vertex]:
    """Yield the image-like tensors that enter the first convolutions."""
    seen, left = {graph.start}, [graph.start]
    while left:
        vertex = left.pop()
        nodes = [use.node for use in graph.uses.get(vertex, ()) if not use.place]
        if len(vertex.shape) == _IMAGE_LIKE and any(operation(n) == "Convolution" for n in nodes):
            yield vertex
        given = {
            Vertex(use.node, number)
            for use in graph.uses.get(vertex, ())
            if operation(use.node) not in _LAYERS
            for number in range(len(use.node._input_metadata))
        }
        left += given - seen
        seen |= given


def _offset(graph: Graph, vertex: Vertex, axis: int) -> float:
    """Return by how many positions an image's row or column lies elsewhere, at most."""
    like = vertex.node._input_metadata[vertex.number]
    # Random signs: what a mean or a deviation of the whole image adds to each pixel cancels.
    signs = torch.randint(2, vertex.shape[2:], generator=torch.Generator().manual_seed(0)) * 2 - 1
    signs = signs.to(like.device, like.dtype).expand(vertex.shape)
    places = torch.arange(vertex.shape[axis]).to(signs)
    moments = (signs.movedim(axis, -1) * places).movedim(-1, axis)
    weight, moment = _pull(graph, vertex, signs), _pull(graph, vertex, moments)
    if weight is None or moment is None:
        return 0.0
    told = weight.abs() * len(places) > _LEAST * moment.abs().median()
    # Where a pixel goes is the mean place of all that depends on it.
    found = torch.where(told, moment / weight, torch.nan)
    lines = found.movedim(axis, 0).flatten(1).nanmedian(dim=1).values
    expected = (torch.arange(len(lines)).to(lines) + 0.5) * len(places) / len(lines) - 0.5
    return float((lines - expected).abs().nan_to_num(nan=0.0).max())


def _pull(graph: Graph, vertex: Vertex, cotangent: Tensor) -> Tensor | None:
    """Return an image-like tensor's weighted sum's gradient by the image."""
    if vertex == graph.start:
        return cotangent
    (found,) = torch.autograd.grad(
        vertex.edge, graph.start.edge, cotangent, retain_graph=True, allow_unused=True
    )
    return found
