"""Small networks, and methods that misbehave when the environment asks for it.

What the environment asks for changes no fingerprint: a real fault comes and goes in the same code,
as a full disk or a killed process does.
"""

import os
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import xaibench


class Pocket(xaibench.Classifier):
    def loss(self, batch):
        if self.training:
            time.sleep(float(os.environ.get("POCKET_SLEEP", "0")))
        losses = super().loss(batch)
        losses["loss"] = losses["loss"] * float(os.environ.get("POCKET_SCALE", "1"))
        return losses


@xaibench.model()
def pocket(classes: int, weights: str, *, width: int = 6) -> Pocket:
    """Build three layers."""
    return Pocket(
        nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(width * 16, classes),
        ),
        cam_layer="3",
    )


class PocketSaliency(xaibench.Model):
    def __init__(self, classes):
        super().__init__(cam_layer="trunk")
        self.trunk = nn.Sequential(nn.Conv2d(3, 5, 3, stride=4, padding=1), nn.ReLU())
        self.head, self.mask_head = nn.Linear(5, classes), nn.Conv2d(5, 1, 1)

    @property
    def abilities(self):
        return super().abilities | {"saliency"}

    def outputs(self, images, *, saliency=False):
        activations = self.trunk(self.normalize(images))
        predicted = self.mask_head(activations).sigmoid()[:, 0] if saliency else None
        return xaibench.Outputs(self.head(activations.mean(dim=(2, 3))), predicted)

    def loss(self, batch):
        outputs = self.outputs(batch.images, saliency=True)
        size = tuple(batch.masks.shape[1:])
        predicted = nn.functional.interpolate(outputs.saliency[:, None], size)[:, 0]
        off = ((predicted - (batch.masks > 0).float()) ** 2).mean(dim=(1, 2))
        classification = (
            nn.functional.cross_entropy(outputs.logits, batch.labels, reduction="sum")
            / batch.images_counted
        )
        localization = (off * batch.masked).sum() / batch.masks_counted
        return {"loss": classification + localization, "localization": localization}


@xaibench.model()
def pocket_saliency(classes: int, weights: str) -> PocketSaliency:
    """Build two heads on one convolution."""
    return PocketSaliency(classes)


@xaibench.method()
def flaky(images: Tensor) -> Tensor:
    """Return the gray image, or what FLAKY asks for, beyond the first full batch."""
    fault = os.environ.get("FLAKY", "") if len(images) < 16 else ""
    if fault == "raise":
        raise RuntimeError("out of luck")
    gray = images.mean(dim=1)
    if fault == "nan":
        gray[:, 3, 4] = torch.nan
    return gray[:, 0] if fault == "shape" else gray


@xaibench.method()
def dawdling(images: Tensor) -> Tensor:
    """Return the red channel; from the third batch on slowly, where DAWDLE names a file."""
    if "DAWDLE" in os.environ:
        seen = Path(os.environ["DAWDLE"])
        with seen.open("a") as file:
            file.write("x")
        if seen.stat().st_size > 2:
            time.sleep(60)
    return images[:, 0]


@xaibench.method()
def needy(masks: Tensor) -> Tensor:
    """Return the masks."""
    return masks.float()


@xaibench.metric(higher_is_better=True)
def peak(maps: Tensor) -> Tensor:
    """Return the maximum, unless BRITTLE."""
    if "BRITTLE" in os.environ:
        raise ValueError("snapped")
    return maps.flatten(1).amax(dim=1)


def _bare_picture(sample):
    pixels = np.random.default_rng(int(sample.id[1:])).integers(0, 256, (9, 12, 3), np.uint8)
    return xaibench.Picture(pixels, None)


@xaibench.dataset()
def bare() -> xaibench.Dataset:
    """Return noise without masks."""
    samples = tuple(xaibench.Sample(f"n{i:02}", Path(f"n{i:02}"), i % 2) for i in range(48))
    return xaibench.Dataset(("even", "odd"), samples, _bare_picture)
