"""How far the map is from saying what noise does to the confidence."""

import torch
from torch import Tensor

from xaibench.core.confidence import Predict, confidence_of
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import metric
from xaibench.core.seeds import BatchGenerator


@metric(
    title="Infidelity",
    higher_is_better=False,
    paper="yeh2019infidelity",
    family="faithfulness",
    bounds=(0.0, torch.inf),
    target="predicted",
    ties="of no account",
    baseline="the image less Gaussian noise, not clipped",
)
def infidelity(
    maps: Tensor,
    images: Tensor,
    targets: Tensor,
    confidence: Tensor,
    predict: Predict,
    generator: BatchGenerator,
    *,
    samples: int = 10,
    noise: float = 0.1,
    normalize: bool = True,
) -> Tensor:
    """Return the mean of (b sum(I * map) - (p(x) - p(x - I)))^2 over noise I, shape (B,).

    p is the softmax confidence of the target; the map counts in each channel. b is the factor that
    makes the mean least, as a saliency map has no scale of its own, or 1 with ``normalize=false``.
    0 where the map foretells each change; with b never above the mean of (p(x) - p(x - I))^2,
    which a map of zeros reaches, and from which any map takes 1 / samples by chance. Lower is
    better. The noise is the same for all methods.

    Options:
        samples: of noise; each costs one pass. With a single one b makes every map perfect.
        noise: its standard deviation, of pixels in [0, 1].
        normalize: whether b is chosen.

    >>> from torch import stack, tensor, zeros
    >>> def predict(images):  # the left pixel is the confidence
    ...     return stack([images[:, 0, 0, 0], 1 - images[:, 0, 0, 0]], dim=1)
    >>> images, maps = zeros(2, 1, 1, 2) + 0.5, tensor([[[1.0, 0.0]], [[0.0, 0.0]]])
    >>> confidence, seeds = tensor([0.5, 0.5]), BatchGenerator([1, 1])
    >>> infidelity(maps, images, zeros(2).long(), confidence, predict, seeds, samples=2) > 1e-6
    tensor([False,  True])
    """
    if samples < 1 or noise <= 0:
        raise XaibenchError("infidelity: 'samples' is at least 1 and 'noise' above 0.")
    squared, crossed, changed = torch.zeros(3, len(maps), dtype=torch.float64, device=maps.device)
    for _ in range(samples):
        added = noise * generator.normal(*images.shape[1:])
        change = (confidence - confidence_of(targets, images - added, predict)).double()
        foretold = (added.sum(dim=1) * maps).sum(dim=(1, 2), dtype=torch.float64)
        squared += foretold.square()
        crossed += foretold * change
        changed += change.square()
    factor = (crossed / squared).where(squared > 0, 0.0) if normalize else 1.0
    total: Tensor = factor * (factor * squared - 2 * crossed) + changed
    return (total.clamp(min=0) / samples).float()
