"""A network's pass as the list of torch's own operations, whatever Python wrote them.

What a network calls is seen below autograd, where functions, methods, operators and modules are the
same few operations, and writing in place is replaced by its result. A pass is then walked backward
under any rule: what has no rule has a name.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from xaibench.core.errors import Unsupported
from xaibench.core.passes.batching import ran_out_of_memory
from xaibench.core.passes.compiling import eagerly
from xaibench.core.passes.composites import COMPOSITES, WRITING
from xaibench.core.passes.inside_torch import DispatchMode, is_functional, writes_in_place
from xaibench.core.passes.steps import UNSEEN, Step, Trace
from xaibench.core.passes.trees import flatten, leaves_of

_aten = torch.ops.aten
# They take of a value its form alone.
MADE_ANEW = frozenset({
    _aten.zeros_like, _aten.ones_like, _aten.full_like, _aten.empty_like, _aten.rand_like,
    _aten.randn_like, _aten.new_zeros, _aten.new_ones, _aten.new_full, _aten.new_empty,
    _aten.new_empty_strided,
})  # fmt: skip

_READ_OUT = frozenset({
    Tensor.numpy, Tensor.__array__, Tensor.tolist, Tensor.data_ptr, Tensor.__dlpack__,
    Tensor.untyped_storage,
})  # fmt: skip


class _Recorder(DispatchMode):  # type: ignore[misc]
    def __init__(self, images: Tensor, *, whole_norms: bool) -> None:
        super().__init__()
        self.trace = Trace({0: images})
        self.numbers = {id(images): 0}
        self._count = 1
        self._composites = WRITING if whole_norms else COMPOSITES
        self._held: list[Tensor] = []  # so that no id comes twice

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        leaves, form = flatten((args, kwargs))
        places = [
            place
            for place, leaf in enumerate(leaves)
            if isinstance(leaf, Tensor) and id(leaf) in self.numbers
        ]
        if not places:
            return func(*args, **kwargs)
        if func.overloadpacket in MADE_ANEW:
            return func(*args, **kwargs)
        parts = NotImplemented
        if func in self._composites:
            with self:
                parts = self._composites[func](*args, **kwargs)
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
            return found  # of a pooled value that has other axes
        if writes_in_place(func):
            raise Unsupported(
                f"this method can't follow the network's '{func.overloadpacket}', which writes in "
                "place; choose another method."
            )
        came = leaves_of(found)
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


class _Calls(TorchFunctionMode):
    """Refuse what reads numbers out of a pass, and let activations write no results in place.

    Torch first tries each in-place operation without values, which takes longer than the operation
    for some activations, and knows none for others.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _READ_OUT and is_functional(args[0]):  # holds no memory of its own
            raise Unsupported(
                "this method must see each of the network's operations, and the network reads "
                "values out of the graph; choose another method."
            )
        if kwargs.get("inplace") is not True:
            return func(*args, **kwargs)
        return args[0].copy_(func(*args, **{**kwargs, "inplace": False}))


@contextmanager
def _in_parts() -> Iterator[None]:
    """Keep torch from running what was compiled, and attention as one piece."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(value=False)
    try:
        with (
            torch.no_grad(),
            eagerly(),
            sdpa_kernel(SDPBackend.MATH),
        ):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(value=fast)


def trace(
    network: Callable[[Tensor], Tensor], images: Tensor, *, whole_norms: bool = False
) -> Trace:
    """Run a network once and return what it did.

    Raises:
        Unsupported: what it does can't be seen, or can't be followed.
    """
    recorder = _Recorder(images, whole_norms=whole_norms)
    try:
        with _in_parts(), _Calls(), recorder:
            logits = torch.func.functionalize(network)(images)
    except RuntimeError as error:
        if ran_out_of_memory(error):
            raise
        raise Unsupported(
            f"this method must see each of the network's operations, and {_hidden(str(error))}; "
            "choose another method."
        ) from error
    number = recorder.numbers.get(id(logits))
    if number is None:
        raise Unsupported(UNSEEN)
    recorder.trace.output = number
    return recorder.trace


def _hidden(said: str) -> str:
    """Say what hides operations, from torch's message."""
    if "autograd.Function" in said:
        return "the network holds an autograd function of its own, or reentrant checkpoints"
    return f"torch can't follow them ({said.splitlines()[0][:200].rstrip('.')})"
