"""A network that comes trained: equal weights in every fold and under every seed."""

from pathlib import Path

import torch
from torch import nn

import xaibench


@xaibench.model()
def checkpoint(classes: int, *, at: str = "4", mean: float = 0.5, file: str = "") -> xaibench.Model:
    """Load weights that nothing here trains; by default they are drawn, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(6, 6, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(6, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, classes),
        )
    if file:
        network.load_state_dict(torch.load(Path(file), weights_only=True))
    return xaibench.Classifier(
        network, cam_layer=at, trained=True, mean=(mean,) * 3, std=(0.25,) * 3
    )
