"""Metrics tried on one made-up map, so that a wrong option is told before anything is trained."""

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.maps import OK
from xaibench.core.plugin import Bound
from xaibench.pipeline.explain import Maps, TestBatch
from xaibench.pipeline.score import Asked, gather, score_batch

_SIDE = 16


def rehearse(metric: Bound) -> None:
    """Score one map.

    Raises:
        XaibenchError: what the metric itself says of its options. Other failures may be due to so
            small an image, and show themselves in the run.
    """
    drawn = torch.rand(4, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
    masks = torch.zeros(1, _SIDE, _SIDE, dtype=torch.int8)
    masks[:, 3:9, 5:12] = 1
    target = {"label": torch.zeros(1, dtype=torch.long)}
    batch = TestBatch(["a"], drawn[None, :3], masks, [True], target, _halves)
    asked = Asked(lambda _: drawn[3:], tuned_threshold=0.5)
    evidence = gather({"label": Maps(drawn[3:], [OK])}, batch, lambda _: asked)
    try:
        score_batch([metric], evidence, batch, lambda _: "label")
    except XaibenchError as error:
        if error.__cause__ is None or isinstance(error.__cause__, XaibenchError):
            raise


def _halves(images: Tensor) -> Tensor:
    return torch.full((len(images), 2), 0.5)
