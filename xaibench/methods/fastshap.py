"""FastSHAP: Shapley values of an image's cells, drawn by a network that learned to."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from xaibench.core.baselines import Baseline, baseline_of
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method

_WIDTHS, _GROUPS = (32, 64, 128, 128), 8


class _Explainer(nn.Sequential):
    """A small network: images ``(B, C, H, W)`` -> a value for each class and cell, (B, K, g, g)."""

    def __init__(self, channels: int, classes: int, cells: int) -> None:
        layers: list[nn.Module] = []
        for width in _WIDTHS:
            layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1)]
            layers += [nn.GroupNorm(_GROUPS, width), nn.ReLU()]
            channels = width
        super().__init__(*layers, nn.AdaptiveAvgPool2d(cells), nn.Conv2d(channels, classes, 1))


def learn_values(
    training_images: Any,
    predict: Callable[[Tensor], Tensor],
    classes: int,
    device: torch.device,
    generator: torch.Generator,
    resumable: Callable[..., Iterator[int]],
    *,
    cells: int = 14,
    epochs: int = 20,
    coalitions: int = 8,
    baseline: Baseline = "mean",
) -> nn.Module:
    """Fit the explainer to what the classifier says of images with cells covered.

    The loss is the mean of (v(s) - v(0) - sum of the values of s)^2 over coalitions s, which are
    drawn by the Shapley kernel, each with its complement.
    """
    if cells < 2 or epochs < 1 or coalitions < 1:  # noqa: PLR2004 (a game needs two players)
        raise XaibenchError("fastshap: 'cells' from 2, 'epochs' and 'coalitions' from 1.")
    explainer = _Explainer(training_images[:1].shape[1], classes, cells).to(device)
    optimizer = torch.optim.AdamW(explainer.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in resumable(epochs, explainer, optimizer, schedule):
        for rows in torch.split(torch.randperm(len(training_images), generator=generator), 32):
            images = training_images[rows]
            fill = baseline_of(images, baseline)
            kept = _draw(len(rows), cells, coalitions, generator).to(device)
            wide = functional.interpolate(kept.flatten(0, 1)[:, None], images.shape[2:])
            copies = [each.repeat_interleave(kept.shape[1], 0) for each in (images, fill)]
            said = predict(torch.where(wide > 0, copies[0], copies[1])).clone()
            said = said.view(*kept.shape[:2], -1)
            nothing = predict(fill).clone()
            values = _efficient(explainer(images), predict(images).clone() - nothing)
            loss = _miss(kept, said - nothing[:, None], values)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        schedule.step()
    return explainer


@method(paper="jethani2022fastshap", family="perturbation", fit=learn_values)
def fastshap(
    images: Tensor,
    targets: Tensor,
    predict: Callable[[Tensor], Tensor],
    promise: Callable[[Tensor, Tensor], None],
    fitted: Mapping[str, Tensor],
    *,
    cells: int = 14,
    baseline: Baseline = "mean",
) -> Tensor:
    """Return the values of the target's confidence that the explainer draws, shape (B, g, g).

    They add up to p(image) - p(baseline), as the rest is shared out evenly. In place of a surrogate
    that was trained on covered images the classifier itself says what they are worth.

    Options:
        cells: g, along each side.
        epochs: over the training images.
        coalitions: pairs drawn for each image and epoch.
        baseline: what replaces the cells that are left out.
    """
    confidences = predict(images)
    with torch.device("meta"):  # no random numbers for weights that are known
        explainer = _Explainer(images.shape[1], confidences.shape[1], cells)
    explainer.load_state_dict(fitted, assign=True)
    explainer.to(images)
    with torch.no_grad():
        gained = confidences - predict(baseline_of(images, baseline))
        found = _efficient(explainer(images), gained)
    chosen = found.take_along_dim(targets[:, None, None, None], dim=1)[:, 0]
    promise(chosen, gained.gather(1, targets[:, None])[:, 0])
    return chosen


def _draw(count: int, cells: int, pairs: int, generator: torch.Generator) -> Tensor:
    """Return coalitions ``(count, 2 * pairs, cells, cells)`` of ones and zeros."""
    players = cells * cells
    sizes = torch.arange(1, players)
    chances = 1 / (sizes * (players - sizes))
    drawn = torch.multinomial(chances, count * pairs, replacement=True, generator=generator)
    ranks = torch.rand(count * pairs, players, generator=generator).argsort(1).argsort(1)
    kept = (ranks < sizes[drawn, None]).float().view(count, pairs, cells, cells)
    return torch.cat([kept, 1 - kept], dim=1)


def _miss(kept: Tensor, gained: Tensor, values: Tensor) -> Tensor:
    """Return the mean squared error of what values say that coalitions gain, ``(B, n, K)``."""
    return (gained - torch.einsum("bnhw,bkhw->bnk", kept, values)).square().mean()


def _efficient(values: Tensor, gained: Tensor) -> Tensor:
    """Share out evenly what values ``(B, K, g, g)`` lack of their sum ``(B, K)``."""
    missing = (gained - values.sum(dim=(2, 3))) / values[0, 0].numel()
    return values + missing[:, :, None, None]
