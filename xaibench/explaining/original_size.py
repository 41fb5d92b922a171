"""Scoring at the size that an image has in its file, and not at that of the network."""

import torch
from torch import Tensor

from xaibench.core.plugin import Bound
from xaibench.explaining.evidence import Evidence
from xaibench.explaining.ignoring import ask_metric


def ask_at_chosen_size(metric: Bound, evidence: Evidence) -> Tensor:
    """Return a metric's values of a batch, as `ask_metric`.

    Where the batch has masks of the original size, metrics that ask for masks get these, one image
    after another, with maps resized to them; what a network saw stays as it was.
    """
    originals = evidence.batch.originals
    if not originals or "masks" not in metric.plugin.signature.words:
        return ask_metric(metric, evidence)
    rows = [ask_metric(metric, _enlarge(evidence, row)) for row in range(len(originals))]
    return torch.cat(rows)


def _enlarge(evidence: Evidence, row: int) -> Evidence:
    mask = evidence.batch.originals[row]
    if mask is None or evidence.enlarge is None:
        maps, masks = evidence.maps[row][None], evidence.masks[row][None]
    else:
        masks = mask[None].to(evidence.maps.device)
        maps = evidence.enlarge(row, (masks.shape[1], masks.shape[2]))
    return evidence.alone(row, maps, masks)
