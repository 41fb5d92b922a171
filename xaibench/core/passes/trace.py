"""A network's pass as the list of torch's own operations, whatever Python wrote them.

What a network calls is seen below autograd, where functions, methods, operators and modules are the
same few operations, and writing in place is replaced by its result. A pass is then walked backward
under any rule: what has no rule has a name.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.composites import COMPOSITES

Cotangents = list[Tensor | None]
_aten = torch.ops.aten
_UNSEEN = (
    "the logits don't depend on the image by operations that this method can follow; choose "
    "another method."
)
# They take of a value its form alone.
_MADE_ANEW = frozenset({
    _aten.zeros_like, _aten.ones_like, _aten.full_like, _aten.empty_like, _aten.rand_like,
    _aten.randn_like, _aten.new_zeros, _aten.new_ones, _aten.new_full, _aten.new_empty,
    _aten.new_empty_strided,
})  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One operation that depends on the image.

    Attributes:
        function: of torch's operators.
        leaves: its arguments, flat; those in ``places`` are the image's.
        form: how the flat arguments are laid out.
        places: where in ``leaves`` values of the image stand.
        sources: the numbers of these values.
        results: the numbers of what comes out; None where that is no tensor.
    """

    function: Any
    leaves: Sequence[Any]
    form: Any
    places: Sequence[int]
    sources: Sequence[int]
    results: Sequence[int | None]

    @property
    def name(self) -> str:
        """The operation's name, without its overload."""
        return str(self.function.overloadpacket)

    def argument(self, place: int, default: Any = None) -> Any:
        """Return a positional argument."""
        args, _ = pytree.tree_unflatten(list(self.leaves), self.form)
        return args[place] if place < len(args) else default

    def again(self, inputs: Sequence[Any]) -> list[Any]:
        """Run the operation on other values; return what comes out, flat."""
        leaves = list(self.leaves)
        for place, value in zip(self.places, inputs, strict=True):
            leaves[place] = value
        args, kwargs = pytree.tree_unflatten(leaves, self.form)
        return pytree.tree_leaves(self.function(*args, **kwargs), is_leaf=lambda x: x is None)

    def pull_back(self, inputs: Sequence[Tensor], cotangents: Cotangents) -> Cotangents:
        """Return the derivative of the results, weighed by cotangents, by each of the inputs.

        Raises:
            XaibenchError: torch can't differentiate the operation.
        """
        if self.name == "aten.convolution" and list(self.places) == [0]:
            return [self._through_convolution(inputs[0], cotangents[0])]
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

    def _through_convolution(self, values: Tensor, cotangent: Tensor | None) -> Tensor:
        # The most costly operation need not run again only to be differentiated.
        _, weight, _, *options = pytree.tree_unflatten(list(self.leaves), self.form)[0]
        found: Tensor = _aten.convolution_backward(
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
        given = [None if number is None else cotangents.pop(number, None)
                 for number in step.results]  # fmt: skip
        if any(each is not None for each in given):
            for number, found in zip(step.sources, rule(step, given), strict=True):
                if found is not None:
                    known = cotangents.get(number)
                    cotangents[number] = found if known is None else known + found
        for done in filter(None, step.results):  # the images alone are number 0
            del trace.values[done]
    if 0 not in cotangents:
        raise XaibenchError(_UNSEEN)
    return cotangents[0]


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.trace = Trace({0: images})
        self.numbers = {id(images): 0}
        self._count = 1
        self._held: list[Tensor] = []  # so that no id comes twice

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        leaves, form = pytree.tree_flatten((args, kwargs))
        places = [place for place, leaf in enumerate(leaves)
                  if isinstance(leaf, Tensor) and id(leaf) in self.numbers]  # fmt: skip
        if not places:
            return func(*args, **kwargs)
        if func.overloadpacket in _MADE_ANEW:
            return func(*args, **kwargs)
        parts = NotImplemented
        if func in COMPOSITES:
            with self:
                parts = COMPOSITES[func](*args, **kwargs)
        if parts is not NotImplemented:
            return parts
        return self._record(func, args, kwargs, leaves, form, places)

    def _record(
        self, func: Any, args: Any, kwargs: Any, leaves: list[Any], form: Any, places: list[int]
    ) -> Any:
        found = func(*args, **kwargs)
        if func is _aten.detach.default:  # of autograd's graph, not of the image
            self.numbers[id(found)] = self.numbers[id(leaves[0])]
            self._held.append(found)
            return found
        if func is _aten.as_strided_.default and found.shape == leaves[0].shape:
            return found  # of a pooled value that is laid out otherwise
        if func._schema.is_mutable:
            raise XaibenchError(
                f"this method can't follow the network's '{func.overloadpacket}', which writes in "
                "place; choose another method."
            )
        came = pytree.tree_leaves(found, is_leaf=lambda x: x is None)
        if id(came[0]) in self.numbers:  # what changes nothing gives back what it got
            return found
        results = [self._keep(each) if isinstance(each, Tensor) else None for each in came]
        sources = [self.numbers[id(leaves[place])] for place in places]
        kept = [None if place in places else leaf for place, leaf in enumerate(leaves)]
        self.trace.steps.append(Step(func, kept, form, places, sources, results))
        return found

    def _keep(self, result: Tensor) -> int:
        number = self.numbers[id(result)] = self._count
        self.trace.values[number] = result
        self._count += 1
        return number


@contextmanager
def _in_parts() -> Iterator[None]:
    """Keep torch from running what was compiled, and attention as one piece."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(value=False)
    try:
        with (
            torch.no_grad(),
            torch.compiler.set_stance("force_eager"),
            sdpa_kernel(SDPBackend.MATH),
        ):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(value=fast)


def trace(network: Callable[[Tensor], Tensor], images: Tensor) -> Trace:
    """Run a network once and return what it did.

    Raises:
        XaibenchError: what it does can't be seen, or can't be followed.
    """
    recorder = _Recorder(images)
    try:
        with _in_parts(), recorder:
            logits = torch.func.functionalize(network)(images)
    except RuntimeError as error:
        if "autograd.Function" not in str(error):
            raise
        raise XaibenchError(
            "this method must see each of the network's operations, and the network holds an "
            "autograd function of its own, or reentrant checkpoints; choose another method."
        ) from error
    number = recorder.numbers.get(id(logits))
    if number is None:
        raise XaibenchError(_UNSEEN)
    recorder.trace.output = number
    return recorder.trace


def refuse_opaque(network: nn.Module) -> None:
    """Refuse a network of which torch runs a part as one piece.

    Raises:
        XaibenchError: a part is a script, or computes in integers.
    """
    for name, part in network.named_modules():
        script = isinstance(part, torch.jit.ScriptModule)
        if script or ".quantized" in type(part).__module__:
            short = name.removeprefix("network").removeprefix(".")
            where = f"the network's '{short}'" if short else "the network"
            raise XaibenchError(
                f"this method must see each of the network's operations, and {where} is "
                f"{'a TorchScript' if script else 'quantised'}; pass the network from which it was "
                "made."
            )
