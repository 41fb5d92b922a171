"""One image and one region, for samples of layouts."""

import numpy as np
from PIL import Image

SHAPE = (24, 37)
REGION = (slice(5, 14), slice(8, 30))


def blank():
    return np.full((*SHAPE, 3), 90, np.uint8)


def region():
    mask = np.zeros(SHAPE, np.uint8)
    mask[REGION] = 1
    return mask


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
