"""Where in the image the values of a pass lie, as far as operations tell."""

from typing import Literal

import torch
from torch import Tensor

from xaibench.core.errors import Unsupported
from xaibench.core.passes.steps import Step, Trace
from xaibench.core.passes.trees import leaves_of

# (B, D, h, w); (B, h, w, D); (B * h * w, D) with h and w; no place in the image; elsewhere.
Layout = Literal["first", "last", "none", "moved"] | tuple[int, int] | None
_FIRST = frozenset({
    "aten.convolution", "aten.native_batch_norm", "aten.native_group_norm", "aten.avg_pool2d",
    "aten.max_pool2d_with_indices", "aten._adaptive_avg_pool2d", "aten.adaptive_max_pool2d",
})  # fmt: skip
_TURNED: dict[tuple[object, ...], Layout] = {
    ("first", 0, 2, 3, 1): "last",
    ("last", 0, 3, 1, 2): "first",
}
_MOVING = frozenset({"aten.transpose", "aten.rot90", "aten.gather", "aten.as_strided"})
# The places of the argument that says along which axes they move.
_MOVED_AXES = {"aten.flip": 1, "aten.roll": 2, "aten.index_select": 1, "aten.slice": 1}
_MAP, _TABLE = 4, 2


class Places:
    """The layouts of a pass's values, by their numbers."""

    def __init__(self, passed: Trace) -> None:
        """Follow the layout of the images through all steps."""
        self._known: dict[int, Layout] = {0: "first"}
        for step in passed.steps:
            before = [self._known[number] for number in step.sources]
            for number in step.results:
                if number is not None:
                    given, result = passed.values[step.sources[0]], passed.values[number]
                    whole = result.ndim == _TABLE and len(result) == len(passed.values[0])
                    self._known[number] = "none" if whole else _layout(step, before, given, result)

    def laid_out(self, step: Step, gradient: Tensor, bias: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return a step's gradient and bias as ``(B, D, h, w)``; None where they have no place.

        Raises:
            Unsupported: they have places, and it can't be told which.
        """
        layout = self._known[step.results[0] or 0]
        if layout == "none" or (layout == "first" and gradient.shape[2:].numel() == 1):
            return None
        if layout in (None, "moved"):
            raise Unsupported(
                f"fullgrad can't tell where in the image the biases of the network's '{step.name}' "
                "lie; use integrated_gradients."
            )
        bias = _channels_first(bias, layout)
        if bias.ndim > 1 and torch.equal(bias[0, :, 0, 0], bias[-1, :, -1, -1]):
            one = bias[0, :, 0, 0]
            bias = one if bool((bias == one[:, None, None]).all()) else bias
        return _channels_first(gradient, layout), bias


def _channels_first(values: Tensor, layout: Layout) -> Tensor:
    if values.ndim == 1 or layout == "first":  # one for each channel, or there already
        return values
    if isinstance(layout, tuple):
        values = values.reshape(-1, *layout, values.shape[1])
    return values.permute(0, 3, 1, 2)


def _layout(step: Step, before: list[Layout], given: Tensor, result: Tensor) -> Layout:
    here = next((each for each in before if each not in {None, "none"}), before[0])
    moved = "moved" in before or _moves(step, here, given, result)
    return "moved" if moved else _kept(step, here, given, result)


def _kept(step: Step, here: Layout, given: Tensor, result: Tensor) -> Layout:
    if result.ndim == _MAP and step.name in _FIRST:
        return "first"
    if step.name == "aten.permute":
        return _TURNED.get((here, *(axis % _MAP for axis in step.argument(1))))
    if step.name in {"aten.view", "aten._unsafe_view"} and result.shape != given.shape:
        return _seen_as(here, given, result)
    if isinstance(here, tuple):
        return here if result.ndim == _TABLE and len(result) == len(given) else None
    if here == "none" or (result.ndim == _TABLE and here is not None):
        return "none"
    return here if result.ndim == _MAP else None


def _moves(step: Step, here: Layout, given: Tensor, result: Tensor) -> bool:
    """Whether positions of a map change their places, by more than a single one where it is cut."""
    if given.ndim != _MAP or here not in {"first", "last"}:
        return False
    if step.name == "aten.permute":
        order = tuple(axis % _MAP for axis in step.argument(1))
        return order != (0, 1, 2, 3) and (here, *order) not in _TURNED
    if step.name == "aten.index":
        axes = [axis for axis, index in enumerate(step.argument(1)) if index is not None]
    elif step.name in _MOVED_AXES:
        axes = leaves_of(step.argument(_MOVED_AXES[step.name]))
    else:
        return step.name in _MOVING
    among = {axis % _MAP for axis in axes} - {0, 1 if here == "first" else 3}
    cut = step.name == "aten.slice"
    if cut and step.argument(4, 1) != 1:  # every other position
        return False
    return bool(among) and (not cut or _loses(given, result))


def _loses(given: Tensor, result: Tensor) -> bool:
    """Whether more than a position is cut off at each side."""
    return max(a - b for a, b in zip(given.shape, result.shape, strict=True)) > 2  # noqa: PLR2004


def _seen_as(here: Layout, given: Tensor, result: Tensor) -> Layout:
    """Return the layout of a view: a linear layer takes a map's places for rows, and back."""
    if here == "last" and result.ndim == _TABLE and result.shape[1] == given.shape[3]:
        return given.shape[1], given.shape[2]
    if isinstance(here, tuple):
        return "last" if result.ndim == _MAP and result.shape[1:3] == here else None
    pooled = here == "none" or (here == "first" and given.shape[2:].numel() == 1)
    return "none" if pooled else None
