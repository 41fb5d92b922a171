"""Pixels that no metric counts, such as the border around an object that annotators left open."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from xaibench.core.data import IGNORED
from xaibench.core.plugin import Bound
from xaibench.explaining.evidence import Evidence


def ask_metric(metric: Bound, evidence: Evidence) -> Tensor:
    """Return a metric's values of a batch, ``(B,)``, or its statistics ``(B, S)``.

    Where a mask has pixels of the grade `IGNORED` they are left out of map and mask. A metric that
    asks where pixels lie can't be told of fewer, so that it sees neither heat nor truth there.
    """
    ignored = evidence.masks == IGNORED
    values: Tensor
    if "masks" not in metric.plugin.signature.words or not bool(ignored.any()):
        values = metric(evidence)
    elif metric.plugin.traits.pixelwise:
        values = torch.cat([_ask_row(metric, evidence, row) for row in range(len(ignored))])
    else:
        maps, masks = (kept.masked_fill(ignored, 0) for kept in (evidence.maps, evidence.masks))
        values = metric(replace(evidence, maps=maps, masks=masks))
    return values


def _ask_row(metric: Bound, evidence: Evidence, row: int) -> Tensor:
    """Return one image's value from the pixels that count, in a line; NaN where none does."""
    counted = evidence.masks[row] != IGNORED
    if not bool(counted.any()):
        alone = evidence.alone(row, evidence.maps[row][None], evidence.masks[row][None])
        return torch.full_like(metric(alone), math.nan)
    maps, masks = (kept[row][counted][None, None] for kept in (evidence.maps, evidence.masks))
    found: Tensor = metric(evidence.alone(row, maps, masks))
    return found
