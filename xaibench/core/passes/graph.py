"""The graph that autograd keeps of one pass: who made each tensor, who takes it, and cuts of it."""

from collections.abc import Collection, Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node


class Vertex(NamedTuple):
    """A tensor of the pass: the operation that made it, and which of its outputs it is."""

    node: Node
    number: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's."""
        return tuple(self.node._input_metadata[self.number].shape)

    @property
    def edge(self) -> GradientEdge:
        """What `torch.autograd.grad` takes; right even where the tensor was written to later."""
        return GradientEdge(self.node, self.number)


class Use(NamedTuple):
    """An operation that takes a tensor, and at which place."""

    node: Node
    place: int


def vertex_of(tensor: Tensor) -> Vertex | None:
    """Return a tensor's place in the graph, None if no gradient reaches it."""
    return None if tensor.grad_fn is None else Vertex(tensor.grad_fn, tensor.output_nr)


def operation(node: Node) -> str:
    """Return an operation's name without autograd's endings, such as ``Convolution``."""
    return node.name().rpartition("::")[2].rstrip("0123456789").removesuffix("Backward")


class Graph:
    """Everything between the logits of a pass and its images."""

    def __init__(self, logits: Tensor, images: Tensor) -> None:
        """Take the pass's end and its start; the start must be made by an operation."""
        start, end = vertex_of(images), vertex_of(logits)
        assert start is not None
        self.start, self.end = start, end
        self._nodes = [] if end is None else _in_order(end.node)

    @property
    def nodes(self) -> list[Node]:
        """All operations, the last first."""
        return self._nodes

    def holds(self, vertex: Vertex) -> bool:
        """Whether the logits depend on a tensor."""
        return vertex == self.end or vertex in self.uses

    @cached_property
    def uses(self) -> dict[Vertex, list[Use]]:
        """Who takes each tensor."""
        found: dict[Vertex, list[Use]] = {}
        for node in self._nodes:
            for place, taken in enumerate(inputs_of(node)):
                if taken is not None:
                    found.setdefault(taken, []).append(Use(node, place))
        return found

    @cached_property
    def cuts(self) -> set[Vertex]:
        """The tensors through which everything goes that the logits take from the images."""
        leading = {self.start.node}
        for node in reversed(self._nodes):
            if any(taken and taken.node in leading for taken in inputs_of(node)):
                leading.add(node)
        if self.end is None or self.end.node not in leading:
            return set()
        found, ways, after = set(), 1, {self.end: 1}
        # A tensor cuts the graph where no way that was opened before it leads past it.
        for node in self._nodes:
            entered = {v: count for v, count in after.items() if v.node is node}
            for vertex, count in entered.items():
                del after[vertex]
                if ways == count:
                    found.add(vertex)
            ways -= sum(entered.values())
            for taken in inputs_of(node) if node is not self.start.node else ():
                if entered and taken and taken.node in leading:
                    after[taken] = after.get(taken, 0) + 1
                    ways += 1
        return found

    def reaches_images(self, avoiding: Collection[Vertex]) -> bool:
        """Whether the logits depend on the images by a way past all of these tensors."""
        if self.end is None:
            return False
        return _leads(self.end, self.start, set(avoiding))

    def depends(self, later: Vertex, earlier: Vertex) -> bool:
        """Whether one tensor is made from another."""
        return _leads(later, earlier, set())


def inputs_of(node: Node) -> Iterator[Vertex | None]:
    """Yield what an operation takes; None for what has no gradient."""
    for maker, number in node.next_functions:
        yield None if maker is None else Vertex(maker, number)


def gradient(probe: Tensor, vertex: Vertex) -> Tensor | None:
    """Return the gradient by a tensor of the pass, None if the probe doesn't depend on it."""
    if not probe.requires_grad:
        return None
    (found,) = torch.autograd.grad(probe, vertex.edge, retain_graph=True, allow_unused=True)
    return found


def _leads(end: Vertex, start: Vertex, barred: set[Vertex]) -> bool:
    seen, left = set(), [end]
    while left:
        vertex = left.pop()
        if vertex in barred:
            continue
        if vertex == start:
            return True
        if vertex.node not in seen:
            seen.add(vertex.node)
            left += [taken for taken in inputs_of(vertex.node) if taken is not None]
    return False


def _in_order(last: Node) -> list[Node]:
    """Return all operations behind one, each before what it takes from."""
    done: list[Node] = []
    seen, left = {last}, [(last, inputs_of(last))]
    while left:
        node, rest = left[-1]
        for taken in rest:
            if taken is not None and taken.node not in seen:
                seen.add(taken.node)
                left.append((taken.node, inputs_of(taken.node)))
                break
        else:
            done.append(node)
            left.pop()
    return done[::-1]
