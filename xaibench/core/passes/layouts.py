"""The axes of a layer's output: as activations ``(B, D, h, w)``, and back."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Reshape

_IMAGE_LIKE, _TOKENS = 4, 3


class AxisLayout(ABC):
    """The form of a layer's output."""

    @abstractmethod
    def activations(self, output: Tensor) -> Tensor:
        """Bring a layer's output to ``(B, D, h, w)``."""

    @abstractmethod
    def output(self, activations: Tensor, output: Tensor) -> Tensor:
        """Bring activations ``(N, D, h, w)`` to the form of a layer's ``output``.

        What is no part of the map, as class tokens, is the output's own, which may be of as many
        images or of a single one.
        """


@dataclass(frozen=True)
class Map(AxisLayout):
    """A map ``(B, ., ., .)``.

    Attributes:
        channels: the axis of D.
        rows: that of h.
        columns: that of w.
    """

    channels: int = 1
    rows: int = 2
    columns: int = 3

    def activations(self, output: Tensor) -> Tensor:
        """See `AxisLayout`; channels that are first pass unchanged."""
        order = (0, self.channels, self.rows, self.columns)
        return output if order == (0, 1, 2, 3) else output.permute(order)

    def output(self, activations: Tensor, _output: Tensor) -> Tensor:
        """See `AxisLayout`."""
        order = [(0, self.channels, self.rows, self.columns).index(axis) for axis in range(4)]
        return activations if order == [0, 1, 2, 3] else activations.permute(order)


@dataclass(frozen=True)
class Tokens(AxisLayout):
    """Tokens ``(B, N, D)`` or ``(B, D, N)``, some of which are a map's positions, row by row.

    Attributes:
        first: the first position of the map; class tokens and registers are before or behind.
        grid: (h, w).
        axis: that of N.
    """

    first: int
    grid: tuple[int, int]
    axis: int = 1

    def activations(self, output: Tensor) -> Tensor:
        """See `AxisLayout`."""
        height, width = self.grid
        tokens = output.narrow(self.axis, self.first, height * width)
        tokens = tokens.transpose(1, 2) if self.axis == 1 else tokens
        return tokens.reshape(len(output), -1, height, width)

    def output(self, activations: Tensor, output: Tensor) -> Tensor:
        """See `AxisLayout`."""
        tokens = activations.flatten(2)
        tokens = tokens.transpose(1, 2) if self.axis == 1 else tokens
        count, last = tokens.shape[self.axis], self.first + tokens.shape[self.axis]
        if count == output.shape[self.axis]:
            return tokens
        if len(output) != len(tokens):
            output = output[:1].expand(len(tokens), -1, -1)
        before = output.narrow(self.axis, 0, self.first)
        behind = output.narrow(self.axis, last, output.shape[self.axis] - last)
        return torch.cat([before, tokens, behind], dim=self.axis)


@dataclass(frozen=True)
class Reshaped(AxisLayout):
    """A form that the user knows.

    Attributes:
        reshape: brings an output to ``(B, D, h, w)``, by moving numbers alone.
    """

    reshape: Callable[[Tensor], Tensor]

    def activations(self, output: Tensor) -> Tensor:
        """See `AxisLayout`.

        Raises:
            XaibenchError: the function fails, or gives another form.
        """
        try:
            found = self.reshape(output)
        except Exception as error:
            said = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
            raise XaibenchError(
                f"reshape= failed on the layer's output {tuple(output.shape)}: {said}."
            ) from error
        if not isinstance(found, Tensor) or found.ndim != _IMAGE_LIKE or len(found) != len(output):
            form = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise XaibenchError(
                f"reshape= must bring the layer's output {tuple(output.shape)} to (B, D, h, w), "
                f"but gave {form}."
            )
        return found

    def output(self, activations: Tensor, output: Tensor) -> Tensor:
        """See `AxisLayout`."""
        count, flat = len(activations), output.flatten(1)
        flat = flat.clone() if len(output) == count else flat[:1].repeat(count, 1)
        places = self.places(tuple(output.shape)).to(flat.device)
        flat[:, places] = activations.flatten(1).to(flat.dtype)
        return flat.view(count, *output.shape[1:])

    def places(self, shape: tuple[int, ...]) -> Tensor:
        """Return which numbers of an image's flat output the activations are, in their order.

        Raises:
            XaibenchError: the function computes, so that nothing can be put back.
        """
        numbers = torch.arange(prod(shape[1:]), dtype=torch.float64).view(1, *shape[1:])
        found, later = (self.activations(each).flatten() for each in (numbers, numbers + 1))
        if not torch.equal(later, found + 1) or len(set(found.tolist())) < len(found):
            raise XaibenchError(
                "reshape= may only move numbers (reshape, permute, slice), as some methods put "
                "activations back; give another function."
            )
        return found.long()


def named_layout(reshape: Reshape, shape: tuple[int, ...]) -> AxisLayout:
    """Return the layout that a user names for an output of this shape.

    Args:
        reshape: a function; ``channels_first``; ``channels_last``; or ``tokens=HxW``, which takes
            the last H * W tokens of ``(B, N, D)`` as a map's positions, row by row.
        shape: of the layer's output.

    Raises:
        XaibenchError: there is no such form, or the output has another.

    >>> named_layout("tokens=2x3", (1, 7, 16))
    Tokens(first=1, grid=(2, 3), axis=1)
    """
    if not isinstance(reshape, str):
        layout = Reshaped(reshape)
        layout.places(shape)
        return layout
    tokens = re.fullmatch(r"tokens=([1-9]\d*)x([1-9]\d*)", reshape)
    if reshape not in ("channels_first", "channels_last") and not tokens:
        raise XaibenchError(
            f"reshape={reshape!r}: give channels_first, channels_last, tokens=HxW such as "
            "tokens=14x14, or in Python a function."
        )
    if len(shape) != (_TOKENS if tokens else _IMAGE_LIKE):
        raise XaibenchError(f"reshape={reshape!r} does not fit the layer's output {shape}.")
    if not tokens:
        return Map() if reshape == "channels_first" else Map(3, 1, 2)
    height, width = (int(number) for number in tokens.groups())
    if height * width > shape[1]:
        raise XaibenchError(
            f"reshape={reshape!r}: the layer gives {shape[1]} tokens, fewer than {height * width}."
        )
    return Tokens(shape[1] - height * width, (height, width))
