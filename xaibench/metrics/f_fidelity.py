"""F-Fidelity: what random parts of the most and the least relevant pixels are worth."""

from typing import Literal

import torch
from torch import Tensor

from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.confidence import Predict, confidence_of
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import metric
from xaibench.core.removal import ranks
from xaibench.core.seeds import BatchGenerator


@metric(
    higher_is_better=True,
    paper="zheng2025ffidelity",
    family="faithfulness",
    bounds=(-1.0, 1.0),
    target="predicted",
    turned_by={"order": "minus"},
    ties="chance decides, the same for all methods",
    title="F-Fidelity",
)
def f_fidelity(
    maps: Tensor,
    images: Tensor,
    targets: Tensor,
    confidence: Tensor,
    predict: Predict,
    generator: BatchGenerator,
    *,
    order: Literal["difference", "plus", "minus"] = "difference",
    sizes: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9),
    alpha: float = 0.5,
    beta: float = 0.1,
    samples: int = 5,
    baseline: Baseline = "black",
) -> Tensor:
    """Return the mean over sizes and samples of p(x) - p(x without a random part), shape (B,).

    p is the softmax confidence of the target. ``plus`` removes pixels of the map's highest (higher
    is better), ``minus`` of all others (lower is better), ``difference`` is plus less minus. Of the
    pixels in question a share alpha goes, chosen by chance, but never more than a share beta of the
    image, so that it stays near to those that the network knows. In [-1, 1].

    The paper lets the network learn beforehand from images that lack a share beta of their pixels;
    here it is as it was trained.

    Options:
        order: whose pixels are removed.
        sizes: shares of the image that the highest pixels make up.
        alpha: share of the pixels in question that goes.
        beta: the most that goes, as a share of the image.
        samples: of the part that goes; each costs a pass for each size, two for the difference.
        baseline: what a removed pixel becomes.

    >>> from torch import stack, tensor, zeros
    >>> def predict(images):  # the left pixel is the confidence
    ...     return stack([images[:, 0, 0, 0], 1 - images[:, 0, 0, 0]], dim=1)
    >>> maps, images = tensor([[[1.0, 0.0]]]), tensor([[[[0.6, 0.2]]]])
    >>> case = maps, images, zeros(1).long(), tensor([0.6]), predict, BatchGenerator([1])
    >>> f_fidelity(*case, sizes=(0.5,), alpha=1.0, beta=0.5)
    tensor([0.6000])
    """
    shares = (*sizes, alpha, beta)
    if not sizes or not all(0 < each <= 1 for each in shares) or samples < 1:
        raise XaibenchError(
            "f_fidelity: 'sizes', 'alpha' and 'beta' lie above 0, up to 1; 'samples' from 1."
        )
    bare, pixels = baseline_of(images, baseline), maps[0].numel()
    place = ranks(-maps, generator.uniform(*maps.shape[1:]))
    ways = {"difference": (1, -1), "plus": (1,), "minus": (-1,)}[order]
    total = torch.zeros_like(confidence)
    for _ in range(samples):
        chance = generator.uniform(*maps.shape[1:])
        for size in sizes:
            top = place < round(size * pixels)
            for way in ways:
                within = top if way > 0 else ~top
                count = min(alpha * int(within[0].sum()), beta * pixels)
                # Those outside come last, whatever their chance.
                gone = (ranks(chance + 2 * ~within) < round(count))[:, None]
                seen = torch.where(gone, bare, images)
                lost = confidence - confidence_of(targets, seen, predict)
                total += way * lost if order == "difference" else lost
    return total / (samples * len(sizes))
