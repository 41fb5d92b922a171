"""Scores of maps that users hand over as tensors."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import statuses_of
from xaibench.core.model import Model, evaluating
from xaibench.core.passes.engine import Engine
from xaibench.core.plugin import Bound
from xaibench.explaining.batch import ImageBatch, Maps
from xaibench.explaining.evidence import evidence_of
from xaibench.explaining.inputs import given_targets, predicted_classes
from xaibench.explaining.score import score_batch


def batch_of(
    maps: Tensor, masks: Tensor, images: Tensor, model: Model | None, targets: Any
) -> ImageBatch:
    """Return the images that maps ``(B, H, W)`` are of; without a model nothing can ask it."""
    count = len(maps)

    def asking(part: str) -> Callable[[Tensor], Tensor]:
        def looking(given: Tensor) -> Tensor:
            if model is None:
                raise XaibenchError("a metric asks the model; give model= and images=.")
            with evaluating(model):
                found: Tensor = getattr(Engine(model, fold=False), part)(given)
                return found

        return looking

    predict, respond = asking("predict"), asking("logits")
    chosen = torch.zeros(count, dtype=torch.long)
    if model is not None and targets is not None:
        chosen = given_targets(targets, count, model)
    elif model is not None:
        chosen = predicted_classes(predict(images))
    ids, grades = [str(row) for row in range(count)], masks.to(torch.int8)
    known = [True] * count, {"label": chosen}, predict
    return ImageBatch(ids, images, grades, *known, respond=respond)


def score_maps(batch: ImageBatch, maps: Tensor, metrics: Sequence[Bound]) -> pd.DataFrame:
    """Return a row for each map and metric.

    Raises:
        XaibenchError: maps leave [0, 1].
    """
    finite = torch.isfinite(maps).flatten(1).all(dim=1)
    maps = torch.where(finite[:, None, None], maps, 0.0)
    if maps.min() < 0 or maps.max() > 1:
        raise XaibenchError(
            f"maps must lie in [0, 1], but reach from {maps.min():.3g} to {maps.max():.3g}; "
            "rescale them first."
        )
    flat = maps.amax(dim=(1, 2)) == maps.amin(dim=(1, 2))
    evidence = evidence_of({"label": Maps(maps, statuses_of(finite, flat))}, batch)
    rows = score_batch(metrics, evidence, lambda _: "label")
    table = pd.DataFrame(rows).drop(columns="target")  # classes have no names here
    return table.rename(columns={"sample": "map"}).astype({"map": int})
