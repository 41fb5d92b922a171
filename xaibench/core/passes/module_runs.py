"""One image's pass through a network: what each module gave, and the graph of it all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import evaluating
from xaibench.core.output_form import OutputChoice
from xaibench.core.passes.compiling import eagerly
from xaibench.core.passes.graph import Graph, Vertex, gradient, operation, vertex_of

_MATRIX = 2


class Run(NamedTuple):
    """One run of a module.

    Attributes:
        name: the module's; of several names the first.
        module: what ran.
        kind: the name of the type that it gave.
        shape: of the tensor that it gave; None if it gave something else.
        vertex: the tensor's place in the graph; None if no gradient reaches it.
        taken: the places of the tensors that it took.
        recorded: whether autograd was on.
    """

    name: str
    module: nn.Module
    kind: str
    shape: tuple[int, ...] | None
    vertex: Vertex | None
    taken: tuple[Vertex, ...]
    recorded: bool


@dataclass(frozen=True)
class Pass:
    """What one pass left.

    Attributes:
        runs: of all modules, in the order in which they ended.
        graph: of the pass.
        logits: ``(1, K)``.
        embedding: what entered the last linear layer, ``(1, D)``; the logits where there is none.
        images: their shape ``(1, C, H, W)``.
    """

    runs: list[Run]
    graph: Graph
    logits: Tensor
    embedding: Tensor
    images: tuple[int, ...]

    def of(self, module: nn.Module) -> list[Run]:
        """Return the runs of a module, the last one last."""
        return [run for run in self.runs if run.module is module]

    @cached_property
    def probe(self) -> Tensor:
        """A number on which all acts that acts on the logits, even if the last layer is zero."""
        return _weigh(self.logits) + _weigh(self.embedding)

    def gradient(self, run: Run) -> Tensor | None:
        """Return the probe's gradient by what a module gave; None where there is none."""
        return None if run.vertex is None else gradient(self.probe, run.vertex)


def observe(network: nn.Module, shape: Sequence[int], like: Tensor) -> Pass:
    """Run a network on noise in evaluation mode, and leave it as it was.

    Noise and not images, as what is found out must not depend on who comes first.

    Args:
        network: gives logits.
        shape: ``(C, H, W)`` of an image.
        like: a tensor of the images' type and device.

    Raises:
        XaibenchError: it gives no logits, or hides parts under a reentrant checkpoint.
    """
    runs: list[Run] = []
    linear: list[tuple[Tensor, Tensor]] = []
    noise = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    with (
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        eagerly(),
        evaluating(network),
        _watching(network, runs, linear),
    ):
        images = noise.to(like.device, like.dtype).requires_grad_().clone()
        logits = OutputChoice().find(network(images))
        graph = Graph(logits, images)
        if any(operation(node) == "CheckpointFunction" for node in graph.nodes):
            raise XaibenchError(
                "the network runs parts under a reentrant checkpoint, which hides them from "
                "explanations; give checkpoint() use_reentrant=False, or switch it off."
            )
        embedding = _embedding(logits, linear)
    return Pass(runs, graph, logits, embedding, tuple(images.shape))


@contextmanager
def _watching(
    network: nn.Module, runs: list[Run], linear: list[tuple[Tensor, Tensor]]
) -> Iterator[None]:
    hooks = []
    for name, module in network.named_modules():
        if name and not isinstance(module, torch.jit.ScriptModule):  # whose parts run no hooks
            before, after = _recorders(name, runs, linear)
            hooks.append(module.register_forward_pre_hook(before, with_kwargs=True))
            hooks.append(module.register_forward_hook(after))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _recorders(
    name: str, runs: list[Run], linear: list[tuple[Tensor, Tensor]]
) -> tuple[Callable[..., None], Callable[..., None]]:
    entered: list[tuple[tuple[Vertex, ...], object]] = []

    def before(_: nn.Module, inputs: tuple[object, ...], named: Mapping[str, object]) -> None:
        # Before it runs, as a module that works in place changes the place of what it took.
        taken = [each for each in (*inputs, *named.values()) if isinstance(each, Tensor)]
        vertices = tuple(vertex for each in taken if (vertex := vertex_of(each)))
        entered.append((vertices, taken[0] if taken else None))

    def after(module: nn.Module, _: object, output: object) -> None:
        vertices, first = entered.pop()
        given = output if isinstance(output, Tensor) else None
        runs.append(
            Run(
                name,
                module,
                type(output).__name__,
                None if given is None else tuple(given.shape),
                None if given is None else vertex_of(given),
                vertices,
                torch.is_grad_enabled(),
            )
        )
        if isinstance(module, nn.Linear) and isinstance(first, Tensor) and given is not None:
            linear.extend([(first, given)] if given.ndim == _MATRIX else [])

    return before, after


def _embedding(logits: Tensor, linear: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return what enters the last linear layer that the logits depend on."""
    for entering, leaving in reversed(linear):
        vertex = vertex_of(leaving)
        if vertex and gradient(logits.sum(), vertex) is not None:
            return entering
    return logits


def _weigh(values: Tensor) -> Tensor:
    """Return a weighted sum; a plain one has no gradient behind a layer norm."""
    weights = torch.linspace(1, 2, values.numel(), device=values.device).sin()
    return (values.flatten() * weights).sum()
