"""FastSHAP in short: a network that learns to draw Shapley values of 7 x 7 cells."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import xaibench

CELLS = 7


def explainer(classes: int) -> nn.Module:
    """Return a small network, images (B, 3, H, W) -> values (B, K, 7, 7)."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 7, stride=4, padding=3), nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(CELLS), nn.Conv2d(64, classes, 1),
    )  # fmt: skip


def share_out(values: Tensor, gained: Tensor) -> Tensor:
    """Add to all cells alike what values lack of the sum (B, K) that they must have."""
    lacking = (gained - values.sum(dim=(2, 3))) / CELLS**2
    return values + lacking[:, :, None, None]


def learn(
    training_images: Any,
    predict: Callable[[Tensor], Tensor],
    classes: int,
    device: torch.device,
    resumable: Callable[..., Iterator[int]],
    *,
    epochs: int = 5,
) -> nn.Module:
    """Learn from what the classifier says of images with cells blackened by the Shapley kernel."""
    network = explainer(classes).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    sizes = torch.arange(1, CELLS**2)
    for _ in resumable(epochs, network, optimizer):
        for rows in torch.split(torch.randperm(len(training_images)), 16):
            images = training_images[rows]
            size = sizes[torch.multinomial(1 / (sizes * (CELLS**2 - sizes)), len(rows), True)]
            ranks = torch.rand(len(rows), CELLS**2).argsort(dim=1).argsort(dim=1)
            kept = (ranks < size[:, None]).float().view(-1, 1, CELLS, CELLS).to(device)
            mask = functional.interpolate(kept, images.shape[2:])
            whole, nothing, some = (
                predict(seen).clone() for seen in (images, 0 * images, mask * images)
            )
            values = share_out(network(images), whole - nothing)
            loss = (some - nothing - (kept * values).sum(dim=(2, 3))).square().mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return network


@xaibench.method(title="FastSHAP in short", paper="jethani2022fastshap", fit=learn)
def fastshap_short(
    images: Tensor,
    targets: Tensor,
    predict: Callable[[Tensor], Tensor],
    fitted: Mapping[str, Tensor],
) -> Tensor:
    """Return the values of the target's confidence, shape (B, 7, 7)."""
    gained = predict(images) - predict(0 * images)
    with torch.device("meta"):
        network = explainer(gained.shape[1])
    network.load_state_dict(fitted, assign=True)
    with torch.no_grad():
        values = share_out(network(images), gained)
    return values.take_along_dim(targets[:, None, None, None], dim=1)[:, 0]
