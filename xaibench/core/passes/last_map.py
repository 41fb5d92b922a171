"""The last map on which all of the logits of a network depend, as the graph of a pass tells."""

import re
from math import prod

import torch
from torch import nn

from xaibench.core.errors import XaibenchError
from xaibench.core.passes.graph import gradient
from xaibench.core.passes.layer_names import short_name
from xaibench.core.passes.module_runs import Pass, Run
from xaibench.core.passes.spatial import (
    MAP,
    TOKENS,
    SpatialLayer,
    map_runs,
    positions_reached,
    readable,
    spatial_runs,
)

_SHOWN, _TRIED_CLASSES = 5, 3
_EQUAL = 1e-4  # relative: equal gradients differ by rounding alone


def last_map(seen: Pass) -> tuple[Run | None, bool]:
    """Return the last map that cuts the network, and whether a larger image may have a later one.

    Raises:
        XaibenchError: a layer that may be it can't be read, or isn't the last one for certain.
    """
    one_token, doubtful = False, False
    for run in map_runs(seen):
        if run.vertex not in seen.graph.cuts:
            continue
        if _is_pooled(run):
            doubtful = True
            continue
        layer = readable(seen, run)
        if layer is None:
            raise refusal(seen, f"the form of what '{short_name(run.name)}' gives is not known")
        if layer.shape[1:] == (1, 1):
            doubtful = doubtful or not _is_dense(run)
            continue
        reached = positions_reached(seen, run, layer.layout)
        one_token = one_token or (layer.rank == TOKENS and reached < 2)  # noqa: PLR2004
        if reached < 2 or _is_class_map(seen, run, layer):  # noqa: PLR2004
            continue
        _refuse_unrecorded(seen, run)
        found = _before_attention(seen, run, layer) if one_token else None
        if found is None:
            _refuse_branches(seen, run)
        return found or run, doubtful
    return None, doubtful


def _is_pooled(run: Run) -> bool:
    """Whether tokens are a single one."""
    assert run.shape is not None
    return len(run.shape) == TOKENS and 1 in run.shape[1:]


def _is_dense(run: Run) -> bool:
    """Whether a map of one position is no map: a convolution sees all positions at once."""
    part = run.module
    return (
        isinstance(part, nn.Conv2d)
        and set(part.padding) <= {0, "v"}
        and any(taken.shape[2:] == part.kernel_size != (1, 1) for taken in run.taken)
    )


def _is_class_map(seen: Pass, run: Run, layer: SpatialLayer) -> bool:
    """Whether each channel is a class's score, from which its logit is pooled alone."""
    assert run.vertex is not None
    classes = seen.logits.shape[1]
    if layer.shape[0] not in (1, classes):
        return False
    later = seen.runs[_place(seen, run) + 1 :]
    if not any(list(each.module.parameters(recurse=False)) for each in later):
        return True
    if layer.shape[0] != classes:
        return False
    own = False
    for number in range(min(classes, _TRIED_CLASSES)):
        found = gradient(seen.logits[0, number], run.vertex)
        if found is None:
            continue
        reached = layer.layout.activations(found).abs().sum(dim=(0, 2, 3)) > 0
        own = own or bool(reached[number])
        reached[number] = False
        if reached.any():
            return False
    return own


def _attends(seen: Pass, run: Run) -> bool:
    """Whether a module calls itself an attention, and what it reads counts."""
    named = re.search("attention|attn", type(run.module).__name__.lower())
    return bool(named and run.taken and seen.graph.holds(run.taken[0]))


def _before_attention(seen: Pass, run: Run, layer: SpatialLayer) -> Run | None:
    """Return what the last attention reads, if the patches count through it alone."""
    assert run.vertex is not None
    attention = next((each for each in reversed(seen.runs) if _attends(seen, each)), None)
    if attention is None or attention.taken[0] == run.vertex:
        return None
    for found in map_runs(seen):
        if found.vertex != attention.taken[0] or not found.vertex:
            continue
        read = readable(seen, found)
        whole, part = seen.gradient(run), seen.gradient(found)
        if read is None or whole is None or part is None:
            return None
        (through,) = torch.autograd.grad(
            found.vertex.edge, run.vertex.edge, part, retain_graph=True, allow_unused=True
        )
        if through is None or positions_reached(seen, found, read.layout) < 2:  # noqa: PLR2004
            return None
        ours, all_ways = layer.layout.activations(through), layer.layout.activations(whole)
        equal = torch.allclose(
            ours, all_ways, rtol=_EQUAL, atol=_EQUAL * float(all_ways.abs().max())
        )
        return found if equal else None
    return None


def _refuse_unrecorded(seen: Pass, run: Run) -> None:
    """Refuse a layer behind which parts run without gradients: a later one can't be seen."""
    for later in seen.runs[_place(seen, run) + 1 :]:
        if not later.recorded and len(later.shape or ()) in (MAP, TOKENS):
            raise refusal(
                seen,
                f"'{short_name(later.name)}' runs without gradients (no_grad, or a "
                "checkpoint of its own)",
            )


def _refuse_branches(seen: Pass, run: Run) -> None:
    """Refuse a layer behind which several ways lead on, each with maps of its own."""
    outer = ""
    for later in map_runs(seen):
        if later is run:
            return
        if _is_pooled(later):
            continue
        nested = outer and later.name.startswith(f"{outer}.")
        if (
            nested
            or later.vertex in seen.graph.cuts
            or next(later.module.parameters(), None) is None
        ):
            continue
        outer = later.name
        layer = readable(seen, later)
        if layer is None or (layer.shape[0] > 1 and prod(layer.shape[1:]) > 1):
            raise refusal(
                seen,
                f"behind '{short_name(run.name)}' the network branches, and the logits "
                f"depend on '{short_name(later.name)}' and on what goes past it",
            )


def _place(seen: Pass, run: Run) -> int:
    return next(place for place, each in enumerate(seen.runs) if each is run)


def refusal(seen: Pass, why: str) -> XaibenchError:
    """Return the error that no layer is it for certain; it names layers that may be meant."""
    names: list[str] = []
    for layer in spatial_runs(seen):
        if not any(layer.name.startswith(f"{name}.") for name in names):
            names.append(layer.name)
        if len(names) == _SHOWN:
            break
    such = f", such as {', '.join(map(short_name, names))}" if names else ""
    return XaibenchError(
        f"the CAM layer was not found for certain: {why}; name one with layer={such}."
    )
