"""Maps and masks that are neither square nor symmetric, and each metric's value for a whole set."""

import numpy as np
import torch

from xaibench.core.maps import finish
from xaibench.core.registry import bind, plugins

COUNT, HEIGHT, WIDTH = 12, 23, 37
TUNED = 0.4
LOCALIZATION = [
    name for name, plugin in plugins("metric").items()
    if plugin.traits.family == "localization" and plugin.traits.counted == "filled"
    and "other_classes" not in plugin.asked
]  # fmt: skip


def binary():
    """Noise with something in it, and masks of two regions."""
    random = np.random.default_rng(0)
    masks = np.zeros((COUNT, HEIGHT, WIDTH), np.int8)
    for row in range(COUNT):
        masks[row, 2 : 6 + row, 20 : 30 + row % 5] = 1
        masks[row, 15:19, 3 : 6 + row] = 1
    maps = random.uniform(0, 1, masks.shape) * 0.7 + 0.3 * masks * random.uniform(size=masks.shape)
    return torch.from_numpy(maps.astype(np.float32)), torch.from_numpy(masks)


def layered():
    """The same maps; masks of grades -1 to 3, whose regions and sizes all differ."""
    maps, regions = binary()
    masks = torch.zeros_like(regions)
    masks[:, :, 7:33] = 1
    masks[:, 4:20, 9:30] = 2
    masks[regions > 0] = 3
    masks[:, :2] = masks[:, :, 35:] = -1
    return maps, masks


def score(spec, maps, masks):
    """Each map's value, ``(B,)``; of a pooled metric, its value for the image as its own set."""
    metric = bind("metric", spec)
    words = {"maps": maps, "masks": masks, "tuned_threshold": TUNED}
    asked = [words[word] for word in metric.plugin.signature.words]
    values = metric.plugin.function(*asked, **metric.options)
    pool = metric.plugin.traits.pool
    if pool is None:
        return values
    return torch.stack([row.mean() if row.isnan().any() else pool(row).float() for row in values])


def whole(spec, maps, masks):
    """The value of a set of images, as it is defined: a mean, or a pool of the mean."""
    metric = bind("metric", spec)
    pool = metric.plugin.traits.pool
    if pool is None:
        return float(score(spec, maps, masks).nanmean())
    values = metric.plugin.function(maps, masks, **metric.options)
    return float(pool(values.double().nanmean(dim=0)))


def finished(raw, sign="relu", rescale="minmax"):
    """Maps as a run scores them."""
    return finish(raw, (HEIGHT, WIDTH), sign=sign, rescale=rescale)
