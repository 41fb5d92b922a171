"""Phantoms and networks whose every decision is known, because the rule is written into them.

Each picture shows a dark lesion, a colored marker and a bright vessel, never on top of each other.
A planted network adds up how dark, how colored or how bright the pixels are, and nothing else, so
that the pixels it uses are known to the last one. Nothing is trained.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

LESION, MARKER, VESSEL = 0, 1, 2
RULES = {
    "lesion": (LESION,),
    "shortcut": (MARKER,),
    "both": (LESION, MARKER),
    "neither": (VESSEL,),
}
"""What the network of each rule uses."""
SIDE = 48
_PLACES = 200  # tries to put a structure where no other is
_MARGIN, _GAP = 8, 3
_DARK, _BRIGHT, _COLORED = 0.3, 0.75, 0.4  # what a pixel must be below or above to count
_CERTAIN = 4.0  # the logit of a picture that shows everything a rule uses


class Phantoms(NamedTuple):
    """Images ``(N, 3, H, W)`` in [0, 1], and where each structure lies ``(N, 3, H, W)`` bool."""

    images: Tensor
    regions: Tensor


class Planted(nn.Module):
    """Images ``(B, 3, H, W)`` -> logits ``(B, 2)``: is there what the rule looks for, or not?"""

    scale: Tensor

    def __init__(self, rule: str, phantoms: Phantoms) -> None:
        """Scale the rule's evidence so that the mean picture is as certain for every rule."""
        super().__init__()
        self.used = list(RULES[rule])
        shown = self._evidence(phantoms.images).mean(dim=0)
        self.register_buffer("scale", 2 * _CERTAIN / len(self.used) / shown)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits: the second one's is the evidence, from -4 without any to about 4."""
        found = (self._evidence(images) * self.scale).sum(dim=1) - _CERTAIN
        return torch.stack([-found / 2, found / 2], dim=1)

    def _evidence(self, images: Tensor) -> Tensor:
        gray = avg_pool2d(images.mean(dim=1, keepdim=True), 3, 1, 1, count_include_pad=False)[:, 0]
        dark, bright = (_DARK - gray).relu(), (gray - _BRIGHT).relu()
        colored = (images[:, 2] - images[:, 0] - _COLORED).relu()
        found = torch.stack([dark, colored, bright], dim=1)[:, self.used]
        return found.sum(dim=(2, 3))


def draw_phantoms(count: int, seed: int) -> Phantoms:
    """Draw pictures of gray noise, each with all three structures."""
    random = np.random.default_rng(seed)
    images = 0.5 + random.normal(0, 0.04, (count, 1, SIDE, SIDE)).repeat(3, axis=1)
    regions = np.zeros((count, 3, SIDE, SIDE), bool)
    rows, columns = np.indices((SIDE, SIDE))
    for picture, region in zip(images, regions, strict=True):
        for structure, radius in enumerate(random.uniform((5, 3, 3), (7, 4, 4))):
            for _ in range(_PLACES):
                row, column = random.uniform(_MARGIN, SIDE - _MARGIN, 2)
                distance = np.hypot(rows - row, columns - column)
                if not region[:, distance < radius + _GAP].any():
                    break
            region[structure] = distance < radius
        picture[:, region[LESION]] -= 0.35
        picture[:, region[MARKER]] = [[0.1], [0.4], [1.0]]
        picture[:, region[VESSEL]] += 0.45
    return Phantoms(torch.from_numpy(images.clip(0, 1)).float(), torch.from_numpy(regions))
