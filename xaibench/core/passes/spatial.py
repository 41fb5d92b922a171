"""What the modules of a network give that a CAM could read: maps of several positions."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops.misc import Permute

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Reshape
from xaibench.core.passes.layout_rules import layout_of
from xaibench.core.passes.layouts import AxisLayout, named_layout
from xaibench.core.passes.module_runs import Pass, Run

MAP, TOKENS = 4, 3
# They pass on, or pool, what another layer made.
_PASSIVE = (
    nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Flatten, nn.Unflatten, nn.Identity, Permute,
)  # fmt: skip
_SCALES, _LARGEST = (2, 4, 8), 1024


class SpatialLayer(NamedTuple):
    """A layer that a CAM can read.

    Attributes:
        name: as the network knows it.
        module: the layer.
        layout: of its output.
        shape: ``(D, h, w)`` of its activations.
        rank: number of axes of its output: 4 of a map, 3 of tokens.
    """

    name: str
    module: nn.Module
    layout: AxisLayout
    shape: tuple[int, ...]
    rank: int


def spatial_runs(seen: Pass) -> Iterator[SpatialLayer]:
    """Yield what a CAM could read, the last first: several of its positions count."""
    for run in map_runs(seen):
        layer = readable(seen, run)
        if layer and positions_reached(seen, run, layer.layout) > 1:
            yield layer


def map_runs(seen: Pass) -> Iterator[Run]:
    """Yield what may be maps or tokens and counts for the logits, the last first."""
    last = {run.module: run for run in seen.runs}
    pooled = {
        run.vertex
        for run in seen.runs
        if isinstance(run.module, _PASSIVE) and run.vertex not in run.taken
    }
    for run in reversed(seen.runs):
        if (
            last[run.module] is run
            and len(run.shape or ()) in (MAP, TOKENS)
            and run.vertex is not None
            and run.vertex not in pooled
            and run.vertex not in run.taken
            and seen.graph.holds(run.vertex)
        ):
            yield run


def read_run(seen: Pass, run: Run, reshape: Reshape | None = None) -> SpatialLayer:
    """Return what one run gave as a CAM sees it.

    Raises:
        XaibenchError: the form of its output is not known for certain.
    """
    assert run.shape is not None
    layout = named_layout(reshape, run.shape) if reshape else layout_of(seen.graph, run)
    activations = layout.activations(torch.empty(run.shape))
    return SpatialLayer(run.name, run.module, layout, tuple(activations.shape[1:]), len(run.shape))


def readable(seen: Pass, run: Run) -> SpatialLayer | None:
    """Return what one run gave, None where its form is not known for certain."""
    try:
        return read_run(seen, run)
    except XaibenchError:
        return None


def positions_reached(seen: Pass, run: Run, layout: AxisLayout) -> int:
    """Return on how many positions of what a module gave the logits depend."""
    gradient = seen.gradient(run)
    if gradient is None:
        return 0
    return int((layout.activations(gradient).abs().sum(dim=1) > 0).sum())


def runs_apart(seen: Pass, runs: Sequence[Run]) -> bool:
    """Whether the logits depend on a run from which the last one isn't made."""
    last = runs[-1].vertex
    return last is not None and any(
        run.vertex is not None
        and seen.graph.holds(run.vertex)
        and not seen.graph.depends(last, run.vertex)
        for run in runs[:-1]
    )


def enlarged(images: Tensor) -> Iterator[Tensor]:
    """Yield single empty images of several times the size."""
    channels, height, width = images.shape[1:]
    for scale in _SCALES:
        if scale * max(height, width) <= _LARGEST:
            yield images.new_zeros(1, channels, scale * height, scale * width)
