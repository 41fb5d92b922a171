"""Maps that no network had a part in, by a few numbers each: what a metric can be won by."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from xaibench.core.maps import finish

KINDS = ("blob", "blur", "threshold", "average_mask", "mask_and_noise")


@dataclass(frozen=True)
class Recipe:
    """One way to make maps of all images, with the numbers that it takes, in [0, 1]."""

    kind: str
    numbers: tuple[float, ...]

    @property
    def title(self) -> str:
        """For people: ``blob (0.31, 0.52, 0.4, 0.11)``."""
        return f"{self.kind} ({', '.join(f'{number:.2g}' for number in self.numbers)})"


def recipes(count: int, *, mean_mask: bool, masks: bool, seed: int = 0) -> Iterator[Recipe]:
    """Yield recipes of all kinds in turn, with numbers drawn by chance, always the same.

    Args:
        count: how many.
        mean_mask: whether there is an average of training masks.
        masks: whether the truth may be used, which a metric that is judged by it forbids.
        seed: of the draws.
    """
    left_out = {*(() if mean_mask else ("average_mask",)), *(() if masks else ("mask_and_noise",))}
    kinds = [kind for kind in KINDS if kind not in left_out]
    draw: Generator = np.random.default_rng(seed)
    for number in range(count):
        yield Recipe(kinds[number % len(kinds)], tuple(draw.uniform(size=4).tolist()))


def make_maps(
    recipe: Recipe, images: Tensor, masks: Tensor, mean_mask: Tensor | None
) -> tuple[Tensor, list[str]]:
    """Return maps ``(B, H, W)`` in [0, 1] and what is wrong with each.

    Args:
        recipe: how.
        images: ``(B, C, H, W)``.
        masks: ``(B, H, W)``.
        mean_mask: ``(H, W)``.
    """
    first, second, third, fourth = recipe.numbers
    gray, (height, width) = images.mean(dim=1), images.shape[2:]
    if recipe.kind == "blob":
        rows = torch.linspace(0, 1, height)[:, None].to(images)
        columns = torch.linspace(0, 1, width).to(images)
        sizes = (0.03 + third, 0.03 + fourth)
        squares = ((rows - first) / sizes[0]) ** 2 + ((columns - second) / sizes[1]) ** 2
        raw = (-squares / 2).exp().expand(len(images), -1, -1)
    elif recipe.kind == "blur":
        raw = _blurred(gray, first / 8)
        raw = (1 - raw if second < 1 / 2 else raw) ** (1 + 4 * third)
    elif recipe.kind == "threshold":
        soft = _blurred(gray, fourth / 16)
        ends = torch.quantile(
            soft.flatten(1), torch.tensor(sorted((first, second))).to(soft), dim=1
        )
        raw = ((soft >= ends[0][:, None, None]) & (soft <= ends[1][:, None, None])).float()
        raw = _blurred(raw, third / 8)
    elif recipe.kind == "average_mask" and mean_mask is not None:
        raw = (mean_mask ** (0.2 + 3 * first)).expand(len(images), -1, -1)
    else:
        noise = torch.rand(gray.shape, generator=torch.Generator().manual_seed(int(1e6 * fourth)))
        raw = _blurred((masks > 0).float(), second / 8) + first * noise.to(gray)
        raw = 1 - raw / raw.max() if third < 1 / 4 else raw
    return finish(raw.float(), (height, width))


def _blurred(maps: Tensor, share: float) -> Tensor:
    """Blur by a share of the shorter side; not at all by less than half a pixel."""
    sigma = share * min(maps.shape[1:])
    if sigma < 1 / 2:
        return maps
    reach = min(int(2 * sigma) + 1, (min(maps.shape[1:]) - 1) // 2)
    along = gaussian_blur(maps[:, None], kernel_size=[2 * reach + 1, 1], sigma=sigma)
    return torch.as_tensor(gaussian_blur(along, kernel_size=[1, 2 * reach + 1], sigma=sigma))[:, 0]
