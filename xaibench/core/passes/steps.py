"""A pass of a network as a list of torch's own operations, and the way back through it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.trees import leaves_of, unflatten

Cotangents = list[Tensor | None]
# Functions of single values that torch doesn't mark as such.
_POINTWISE = frozenset({
    "aten.hardswish", "aten._prelu_kernel", "aten.log_sigmoid_forward", "aten._to_copy",
})  # fmt: skip
UNSEEN = (
    "the logits don't depend on the image by operations that this method can follow; choose "
    "another method."
)


@dataclass(frozen=True)
class Step:
    """One operation that depends on the image.

    Attributes:
        function: of torch's operators.
        leaves: its arguments, flat; those in ``places`` are the image's.
        form: how the flat arguments are nested.
        places: where in ``leaves`` values of the image are.
        sources: the numbers of these values.
        results: the numbers of what comes out; None where that is no tensor.
    """

    function: Any
    leaves: Sequence[Any]
    form: Any
    places: Sequence[int]
    sources: Sequence[int]
    results: Sequence[int | None]

    @cached_property
    def name(self) -> str:
        """The operation's name, without its overload."""
        return str(self.function.overloadpacket)

    @property
    def pointwise(self) -> bool:
        """Whether each value of the result is a function of single values of the inputs."""
        return torch.Tag.pointwise in self.function.tags or self.name in _POINTWISE

    @cached_property
    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = unflatten(list(self.leaves), self.form)
        return args, kwargs

    def argument(self, place: int, default: Any = None) -> Any:
        """Return a positional argument."""
        args, _ = self._arguments
        return args[place] if place < len(args) else default

    def keyword(self, name: str, default: Any = None) -> Any:
        """Return a named argument."""
        return self._arguments[1].get(name, default)

    def again(self, inputs: Sequence[Any]) -> list[Any]:
        """Run the operation on other values; return what comes out, flat."""
        leaves = list(self.leaves)
        for place, value in zip(self.places, inputs, strict=True):
            leaves[place] = value
        args, kwargs = unflatten(leaves, self.form)
        return leaves_of(self.function(*args, **kwargs))

    def pull_back(self, inputs: Sequence[Tensor], cotangents: Cotangents) -> Cotangents:
        """Return the derivative of the results, weighed by cotangents, by each of the inputs.

        Raises:
            XaibenchError: torch can't differentiate the operation.
        """
        if self.name == "aten.convolution" and list(self.places) == [0]:
            return [self._through_convolution(inputs[0], cotangents[0])]
        if self.name == "aten.native_batch_norm" and list(self.places) == [0] and self._is_fixed:
            return [self._through_norm(cotangents[0])]
        with torch.enable_grad():
            leaves = [each.detach().requires_grad_(each.is_floating_point()) for each in inputs]
            known = [
                (result, cotangent)
                for result, cotangent in zip(self.again(leaves), cotangents, strict=True)
                if cotangent is not None
            ]
        by = [leaf for leaf in leaves if leaf.requires_grad]
        if not by:
            return [None] * len(leaves)
        if not all(result.requires_grad for result, _ in known):
            raise XaibenchError(
                f"torch can't differentiate the network's '{self.name}'; choose another method."
            )
        results, weights = zip(*known, strict=True)
        found = iter(torch.autograd.grad(results, by, weights, allow_unused=True))
        return [next(found) if leaf.requires_grad else None for leaf in leaves]

    @property
    def _is_fixed(self) -> bool:
        """Whether a batch norm takes stored statistics."""
        return self.argument(3) is not None and not self.argument(5)

    def _through_norm(self, cotangent: Tensor | None) -> Tensor:
        assert cotangent is not None
        weight, variance = self.argument(1), self.argument(4)
        scale = (variance + self.argument(7)).rsqrt()
        scale = (scale if weight is None else scale * weight).to(cotangent)
        found: Tensor = cotangent * scale.view(1, -1, *[1] * (cotangent.ndim - 2))
        return found

    def _through_convolution(self, values: Tensor, cotangent: Tensor | None) -> Tensor:
        # The most costly operation need not run again only to be differentiated.
        _, weight, _, *options = self._arguments[0]
        found: Tensor = torch.ops.aten.convolution_backward(
            cotangent, values, weight, None, *options, [True, False, False]
        )[0]
        return found


@dataclass
class Trace:
    """A pass: values by number, the images' being 0, and the steps in their order."""

    values: dict[int, Tensor]
    steps: list[Step] = field(default_factory=list)
    output: int = 0

    @property
    def logits(self) -> Tensor:
        """``(B, K)``."""
        return self.values[self.output]

    def inputs(self, step: Step) -> list[Tensor]:
        """Return what a step was given of the image's values."""
        return [self.values[number] for number in step.sources]

    def outputs(self, step: Step) -> list[Tensor | None]:
        """Return what came out of a step."""
        return [None if number is None else self.values[number] for number in step.results]


def pass_back(
    trace: Trace, start: Tensor, rule: Callable[[Step, Cotangents], Cotangents]
) -> Tensor:
    """Walk a pass backward and return the images' cotangent ``(B, C, H, W)``.

    Args:
        trace: what a step gave is dropped as soon as the step is done.
        start: the logits' cotangent ``(B, K)``.
        rule: (step, cotangents of its results) -> those of its sources.

    Raises:
        XaibenchError: the logits don't depend on the image, or a step can't be differentiated.
    """
    cotangents = {trace.output: start}
    for step in reversed(trace.steps):
        given = [
            None if number is None else cotangents.pop(number, None) for number in step.results
        ]
        if any(each is not None for each in given):
            for number, found in zip(step.sources, rule(step, given), strict=True):
                if found is not None:
                    known = cotangents.get(number)
                    cotangents[number] = found if known is None else known + found
        for done in filter(None, step.results):  # the images alone are number 0
            del trace.values[done]
    if 0 not in cotangents:
        raise XaibenchError(UNSEEN)
    return cotangents[0]
