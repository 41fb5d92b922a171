"""Sensitivity-n: whether the map foretells what random sets of pixels are worth together."""

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
    paper="ancona2018better",
    family="faithfulness",
    bounds=(-1.0, 1.0),
    target="predicted",
    ties="of no account",
    title="Sensitivity-n",
)
def sensitivity_n(
    maps: Tensor,
    images: Tensor,
    targets: Tensor,
    confidence: Tensor,
    predict: Predict,
    generator: BatchGenerator,
    *,
    fractions: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7),
    samples: int = 20,
    patch: int = 16,
    baseline: Baseline = "black",
) -> Tensor:
    """Return the mean over n of r(sum of the map over S, p(x) - p(x without S)), shape (B,).

    r is Pearson's correlation over random sets S of n parts of the image, p the softmax confidence
    of the target. A saliency map has no sign, so that it can't foretell what raises the confidence.
    In [-1, 1]; higher is better; 0 by chance, and where the map or the confidence is the same for
    all sets. The sets are the same for all methods.

    Options:
        fractions: n, as shares of all parts.
        samples: sets for each n; each costs one pass.
        patch: side of a part in pixels; the paper takes single ones, of which many together differ
            little from many others.
        baseline: what a removed pixel becomes.

    >>> from torch import stack, tensor, zeros
    >>> def predict(images):  # the left pixel is the confidence
    ...     return stack([images[:, 0, 0, 0], 1 - images[:, 0, 0, 0]], dim=1)
    >>> maps, images = tensor([[[1.0, 0.0, 0.0]]]), tensor([[[[0.6, 0.2, 0.3]]]])
    >>> case = maps, images, zeros(1).long(), tensor([0.6]), predict, BatchGenerator([1])
    >>> sensitivity_n(*case, fractions=(1 / 3,), patch=1)
    tensor([1.])
    """
    if not fractions or not all(0 < each < 1 for each in fractions) or samples < 2 or patch < 1:  # noqa: PLR2004
        raise XaibenchError(
            "sensitivity_n: 'fractions' lie between 0 and 1, 'samples' from 2, 'patch' from 1."
        )
    bare, (height, width) = baseline_of(images, baseline), maps.shape[1:]
    sides = (-(-height // patch), -(-width // patch))
    told = torch.zeros(len(fractions), samples, len(maps), dtype=torch.float64, device=maps.device)
    lost = torch.zeros_like(told)
    for sample in range(samples):
        places = ranks(generator.uniform(*sides))
        for at, fraction in enumerate(fractions):
            chosen = places < max(round(fraction * places[0].numel()), 1)
            gone = chosen.repeat_interleave(patch, dim=1).repeat_interleave(patch, dim=2)
            gone = gone[:, :height, :width]
            seen = torch.where(gone[:, None], bare, images)
            told[at, sample] = (maps * gone).sum(dim=(1, 2), dtype=torch.float64)
            lost[at, sample] = (confidence - confidence_of(targets, seen, predict)).double()
    return _correlation(told, lost).mean(dim=0).to(maps.dtype)


def _correlation(told: Tensor, lost: Tensor) -> Tensor:
    """Return Pearson's correlation along the second axis; 0 where either is constant."""
    mine, its = (each - each.mean(dim=1, keepdim=True) for each in (told, lost))
    # Sums differ by rounding where the map is constant.
    varied = [
        each.abs().amax(dim=1) > 1e-9 * whole.abs().amax(dim=1)
        for each, whole in ((mine, told), (its, lost))
    ]
    found: Tensor = (mine * its).sum(dim=1) / (mine.norm(dim=1) * its.norm(dim=1))
    return found.where(varied[0] & varied[1], 0.0).clamp(-1, 1)
