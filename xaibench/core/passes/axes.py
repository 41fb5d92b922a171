"""Where the axes of a tensor come from and go to: each operation of a pass, axis by axis."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from torch.autograd.graph import Node

from xaibench.core.passes.graph import inputs_of, operation

Shape = tuple[int, ...]

# What moves positions, or mixes axes, even where the shape stays.
_MIXING = (
    "Addbmm", "Addmm", "AsStrided", "Baddbmm", "Bmm", "Col", "Cumsum", "Dot", "Fft", "Flip",
    "Gather", "GridSampler", "Im2Col", "Index", "Linear", "Masked", "Mkldnn", "Mm", "Mv", "Pixel",
    "Put", "Repeat", "Roll", "Rot", "Scaled", "Scatter", "Sort", "Stack", "Take", "Tril", "Triu",
    "Unfold", "_",
)  # fmt: skip
_VIEWS = ("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze")
_WRAPPED = 1 << 63


@dataclass(frozen=True)
class Link:
    """An axis that an operation takes and gives.

    Attributes:
        taken: its number in what is taken; two of them where the operation merges two axes.
        given: its number in what is given; two of them where the operation splits an axis.
        shift: the position given minus the position taken.
    """

    taken: tuple[int, ...]
    given: tuple[int, ...]
    shift: int = 0


def links(node: Node, place: int, given: Shape, number: int) -> Iterator[Link]:
    """Yield the axes that lead through an operation.

    Args:
        node: the operation.
        place: which of the tensors that it takes.
        given: the shape of the tensor that it gives.
        number: which of the tensors that it gives.
    """
    source = list(inputs_of(node))[place]
    if source is None:
        return
    name, taken = operation(node), source.shape
    if name == "Permute":
        order = [axis % len(given) for axis in signed(node, "_saved_dims")]
        yield from (Link((axis,), (place,)) for place, axis in enumerate(order))
    elif name == "Transpose":
        first, second = (signed(node, f"_saved_dim{n}")[0] % len(given) for n in (0, 1))
        swapped = {first: second, second: first}
        yield from (Link((axis,), (swapped.get(axis, axis),)) for axis in range(len(given)))
    elif name in _VIEWS:
        yield from _regrouped(taken, given)
    elif name in ("Slice", "Split", "SplitWithSizes", "Cat"):
        dim, shift = _moved(node, name, place, number, given)
        if dim is not None:
            yield from _same(taken, given, dim, shift)
    elif len(taken) <= len(given) and not name.startswith(_MIXING):
        yield from _broadcast(taken, given)


def signed(node: Node, name: str) -> list[int]:
    """Return a saved number or numbers, where autograd shows negative ones as huge."""
    value = getattr(node, name)
    values = value if isinstance(value, (tuple, list)) else (value,)
    return [each - 2 * _WRAPPED if each >= _WRAPPED else each for each in values]


def _same(taken: Shape, given: Shape, dim: int, shift: int) -> Iterator[Link]:
    for axis in range(len(taken)):
        if axis == dim or taken[axis] == given[axis]:
            yield Link((axis,), (axis,), shift if axis == dim else 0)


def _broadcast(taken: Shape, given: Shape) -> Iterator[Link]:
    more = len(given) - len(taken)
    if all(size in (1, given[axis + more]) for axis, size in enumerate(taken)):
        for axis, size in enumerate(taken):
            if size == given[axis + more]:
                yield Link((axis,), (axis + more,))


def _regrouped(taken: Shape, given: Shape) -> Iterator[Link]:
    """Yield the axes that a view keeps, merges or splits; those of length 1 are nobody's."""
    left = [axis for axis, size in enumerate(taken) if size > 1]
    right = [axis for axis, size in enumerate(given) if size > 1]
    while left and right:
        ins, outs = [left.pop(0)], [right.pop(0)]
        while (a := prod(taken[i] for i in ins)) != (b := prod(given[i] for i in outs)):
            side, rest = (ins, left) if a < b else (outs, right)
            side.append(rest.pop(0))
        if len(ins) == 1 or len(outs) == 1:
            yield Link(tuple(ins), tuple(outs))


def _moved(node: Node, name: str, place: int, number: int, given: Shape) -> tuple[int | None, int]:
    """Return the axis along which an operation joins or cuts, and by how much it shifts."""
    dim = signed(node, "_saved_dim")[0] % len(given)
    if name == "Cat":
        parts = list(inputs_of(node))
        before = [taken.shape[dim] for taken in parts[:place] if taken]
        after = [taken.shape[dim] for taken in parts[place:] if taken]
        if len(before) == place:
            return dim, sum(before)
        # What has no gradient, as a frozen class token, has no shape in the graph.
        return (dim, given[dim] - sum(after)) if len(after) == len(parts) - place else (None, 0)
    if name == "Slice":
        size = signed(node, "_saved_self_sym_sizes")[dim]
        start = signed(node, "_saved_start")[0]
        start = max(start + size, 0) if start < 0 else min(start, size)
        return (dim, -start) if signed(node, "_saved_step")[0] == 1 else (None, 0)
    sizes = signed(node, "_saved_split_size" + ("s" if name == "SplitWithSizes" else ""))
    return dim, -(sizes[0] * number if name == "Split" else sum(sizes[:number]))
