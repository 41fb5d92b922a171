"""BUS-UCLM: breast ultrasound of 38 patients, benign, malignant and normal, with masks."""

from functools import partial
from pathlib import Path

import numpy as np

from xaibench.core.data import Dataset, MaskLayer, Picture, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.images import read_image
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.reading.spreadsheet import read_lines
from xaibench.core.registry import dataset

_TABLE = "INFO.csv"
_CHANNELS = {"malignant": 0, "benign": 1}
_CLASSES = ("benign", "malignant", "normal")
_MIDDLE = 127


@dataset(paper="vallez2025busuclm")
def bus_uclm(
    root: Path, *, classes: tuple[str, ...] = ("benign", "malignant"), per_class: int = 0
) -> Dataset:
    """Read BUS-UCLM in its published layout, anywhere below ``root``.

    Images of a patient stay in one part. ``BUS-UCLM/images/ALWI_000.png`` has the mask
    ``BUS-UCLM/masks/ALWI_000.png``, green where it is benign and red where malignant; ``INFO.csv``
    names the findings, and the first part of a file's name the patient. 174 images are benign, 90
    malignant and 419 normal. Its license could not be verified, so that it isn't downloaded.

    Args:
        root: folder that holds all data, or that of BUS-UCLM itself.
        classes: of benign, malignant and normal; labels count in this order.
        per_class: keep the first so many images of each class; 0 keeps all.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    names = choose_classes("bus_uclm", _CLASSES, classes)
    check_per_class("bus_uclm", per_class)
    folder = find_folder(
        root, lambda place: all(map(Path.exists, (place / _TABLE, place / "masks")))
    )
    if folder is None:
        get = "get it from https://data.mendeley.com/datasets/7fvgj4jsp7 and unpack it there"
        raise not_found("bus_uclm", f"BUS-UCLM with {_TABLE}, images and masks", root, get)
    table = folder / _TABLE
    samples = [
        _describe(folder, Path(cells["image"]).stem, names.index(kind))
        for _, cells in read_lines(table, str(table), ("image", "label"), "get it again")
        if (kind := cells["label"].lower()) in names
    ]
    return Dataset(names, keep_first(samples, per_class), partial(_read, names))


def _describe(folder: Path, name: str, label: int) -> Sample:
    image, mask = (folder / part / f"{name}.png" for part in ("images", "masks"))
    for file in (image, mask):
        if not file.is_file():
            raise XaibenchError(f"{file}: missing; unpack the archive again.")
    return Sample(name, image, label, (MaskLayer(mask),), group=name.partition("_")[0])


def _read(names: tuple[str, ...], sample: Sample) -> Picture:
    image, colors = read_image(sample.path), read_image(sample.masks[0].path)
    if colors.shape != image.shape:
        raise XaibenchError(
            f"{sample.masks[0].path}: of another size than its image; get it again."
        )
    channel = _CHANNELS.get(names[sample.label])
    if channel is None:
        return Picture(image, np.zeros(image.shape[:2], np.int8))
    own, other = colors[..., channel] > _MIDDLE, colors[..., 1 - channel] > _MIDDLE
    return Picture(image, (own & ~other).astype(np.int8))
