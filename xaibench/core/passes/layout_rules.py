"""Which layout a layer's output has, as the layer itself or the operations around it tell."""

from torch import nn

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.axis_roles import (
    Channels,
    Features,
    Grid,
    Plane,
    findings,
    map_sizes,
)
from xaibench.core.passes.graph import Graph
from xaibench.core.passes.layouts import AxisLayout, Map, Tokens
from xaibench.core.passes.module_runs import Run

# They work on (B, C, H, W) and nothing else.
_CHANNELS_FIRST = (
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._BatchNorm,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
    nn.GroupNorm,
)
_MAP, _TOKENS = 4, 3


def layout_of(graph: Graph, run: Run) -> AxisLayout:
    """Return the layout of what a module gave.

    Of a map, rows and columns are what a convolution, a norm or a pooling works over, before the
    layer or behind it; where only layer norms and linear layers are near, channels are what these
    work on. Tokens are a map where it becomes tokens or they become a map.

    Raises:
        XaibenchError: nothing certain is known.
    """
    if run.shape is None:
        raise _unknown(run, "no tensor")
    rank = len(run.shape)
    if rank not in (_MAP, _TOKENS) or run.shape[0] != 1:
        raise _unknown(run, "neither (B, D, h, w) nor tokens (B, N, D)")
    if rank == _MAP and isinstance(run.module, _CHANNELS_FIRST):
        return Map()
    found = _map_layout(graph, run) if rank == _MAP else _token_layout(graph, run)
    if found is None:
        raise _unknown(run, "of which nothing tells where rows, columns and channels are")
    return found


def _map_layout(graph: Graph, run: Run) -> Map | None:
    if run.vertex is None:
        return Map(3, 1, 2) if type(run.module) is nn.LayerNorm else None
    channels, features = set[int](), set[int]()
    for fact in findings(graph, run.vertex):
        match fact:
            case Plane(rows, columns):
                return Map(6 - rows - columns, rows, columns)
            case Channels(axis):
                channels.add(axis)
            case Features(axis):
                features.add(axis)
    told = channels or features
    if len(told) != 1:
        return None
    (axis,) = told
    rows, columns = (other for other in (1, 2, 3) if other != axis)
    assert run.shape is not None
    fits = _is_a_scale(graph, (run.shape[rows], run.shape[columns]))
    return Map(axis, rows, columns) if fits else None


def _token_layout(graph: Graph, run: Run) -> Tokens | None:
    if run.vertex is None:
        return None
    assert run.shape is not None
    channels, features = set[int](), set[int]()
    grids: list[Grid] = []
    for fact in findings(graph, run.vertex):
        if isinstance(fact, Grid):
            fits = 0 <= fact.first <= run.shape[fact.axis] - fact.size[0] * fact.size[1]
            grids += [fact] if fits and _is_a_scale(graph, fact.size) else []
        elif isinstance(fact, Channels):
            channels.add(fact.axis)
        elif isinstance(fact, Features):
            features.add(fact.axis)
    channels = channels or features
    grids = [grid for grid in grids if channels != {grid.axis}]
    if not grids or len({grid.axis for grid in grids}) > 1:
        return None
    return Tokens(grids[0].first, grids[0].size, grids[0].axis)


def _is_a_scale(graph: Graph, size: tuple[int, int]) -> bool:
    """Whether a grid is that of a convolution's map, or a coarser one of equal steps both ways."""
    return any(
        size in ((-(-rows // step), -(-columns // step)), (rows // step, columns // step))
        for rows, columns in map_sizes(graph)
        for step in range(1, 1 + max(rows, columns))
    )


def _unknown(run: Run, why: str) -> XaibenchError:
    given = "" if run.shape is None else f" {('B', *run.shape[1:])}".replace("'", "")
    return XaibenchError(
        f"layer '{run.name}' gives{given or ''} {why}; choose another layer with layer=, or say "
        "with reshape= how its output becomes (B, D, h, w)."
    )
