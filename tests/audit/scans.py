"""A small clean folder of scans for tests to damage, and its audit."""

from collections import Counter

import numpy as np
from PIL import Image

from xaibench.audit.audit import audit
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.core.ultrasound import draw_lesion, draw_scan

SHAPE = (90, 140)


def scan(number, shape=SHAPE):
    """Return a drawn gray scan ``(H, W)`` and the mask of its lesion."""
    rng = np.random.default_rng(number)
    lesion = draw_lesion(shape, False, rng)
    return draw_scan(lesion, rng), lesion.region


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels).save(path)


def fill(folder):
    """Write two classes with six non-square scans each, all with their masks."""
    for number in range(12):
        image, mask = scan(number)
        name = f"{'ab'[number % 2]}/{number:02}"
        save(folder / f"{name}.png", image)
        save(folder / f"{name}_mask.png", mask)
    return folder


def examine(folder):
    found = audit(open_dataset(bind("dataset", f"folder[path={folder}]")))
    return found, Counter((each.sample, each.finding, each.severity) for each in found.findings)


def rescale(place):
    larger = Image.fromarray(scan(8)[0]).resize((200, 110))
    save(place / "a/99.png", np.asarray(larger))
    save(place / "a/99_mask.png", np.ones((110, 200), np.bool_) & (np.arange(200) < 70))


def copy(place):
    for name in ("", "_mask"):
        Image.open(place / f"a/08{name}.png").save(place / f"a/99{name}.bmp")
