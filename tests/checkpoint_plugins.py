"""Networks that come trained, with equal weights in every fold and seed, or declare what of."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

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


class Drawing(xaibench.Model):
    """Logits, and a map that is drawn beside them."""

    def __init__(self, classes: int, **about: Any) -> None:
        super().__init__(cam_layer="trunk", **about)
        self.trunk = nn.Sequential(nn.Conv2d(3, 5, 3, stride=4, padding=1), nn.ReLU())
        self.head, self.drawer = nn.Linear(5, classes), nn.Conv2d(5, 1, 1)

    @property
    def abilities(self) -> frozenset[str]:
        return super().abilities | {"saliency"}

    def outputs(self, images: Tensor, *, saliency: bool = False) -> xaibench.Outputs:
        activations = self.trunk(self.normalize(images))
        drawn = self.drawer(activations).sigmoid()
        logits = self.head((activations * drawn).mean(dim=(2, 3)))
        return xaibench.Outputs(logits, drawn[:, 0] if saliency else None)


@xaibench.model()
def drawing(classes: int, *, says: str = "", share: float = 1.0, trained: bool = False) -> Drawing:
    """Learn what to draw from labels alone, or declare something else."""
    return Drawing(classes, trained=trained, supervision=says or None, share=share)
