"""High-frequency ultrasound of the skin, with a map of its layers beside each image."""

from pathlib import Path

import numpy as np

from xaibench.core.data import Dataset, MaskLayer, Picture, Sample, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import list_images
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.images import read_values
from xaibench.core.reading.search import find_folder, not_found, subfolders
from xaibench.core.registry import dataset

_FOLDER = "skin_hfus"
_GRADES = {255: 3, 128: 2, 64: 1, 32: 0, 0: -1}
_LAYOUT = f"{_FOLDER}/images/CLASS/NAME.png and {_FOLDER}/layers/CLASS/NAME.png"


@dataset(paper="czajkowska2021hfus")
def skin_hfus(
    root: Path, *, classes: tuple[str, ...] = (), per_class: int = 0, patient_ends: str = ""
) -> Dataset:
    """Read ``skin_hfus/images/CLASS/NAME.png`` and the layer maps ``skin_hfus/layers/CLASS/...``.

    A layer map is a gray PNG of the image's size whose levels 255, 128, 64, 32 and 0 are the
    relevance grades 3, 2, 1, 0 and -1. Patients may be named by a table, too: ``run --groups``.

    Args:
        root: folder that holds all data, or ``skin_hfus`` itself.
        classes: class folders to use, in this order; all by default, sorted.
        per_class: keep the first so many images of each class; 0 keeps all.
        patient_ends: what the patient's part of a file name ends with: given ``_``, the images
            ``p7_left.png`` and ``p7_2.png`` are of one patient. Without it each is a group of its
            own.

    Raises:
        XaibenchError: it is not there, a layer map is missing or has other grays, or an option is
            wrong.
    """
    check_per_class(_FOLDER, per_class)
    folder = find_folder(root.absolute(), lambda place: _fits(place, root.absolute()))
    if folder is None:
        get = (
            "get the images from https://data.mendeley.com/datasets/5p7fxjt7vs/1 (Mendeley Data, "
            "5p7fxjt7vs, version 1); its authors' article is "
            f"https://doi.org/10.3390/s21175846. Lay the images out as {_LAYOUT}"
        )
        raise not_found(_FOLDER, f"{_FOLDER} with images and layers", root, get)
    names = choose_classes(
        _FOLDER, [place.name for place in subfolders(folder / "images")], classes
    )
    samples = [
        _describe(folder, file, label, patient_ends)
        for label, name in enumerate(names)
        for file in _list_images(folder / "images" / name)
    ]
    return Dataset(names, keep_first(samples, per_class), _read)


def _fits(place: Path, root: Path) -> bool:
    # Folders called images are everywhere, so that the name must tell, or the user.
    named = place.name == _FOLDER or place == root
    return named and all((place / part).is_dir() for part in ("images", "layers"))


def _list_images(folder: Path) -> list[Path]:
    images = list_images(folder)
    if not images:
        raise XaibenchError(f"{folder}: no images; add some, or leave this class out.")
    return images


def _describe(folder: Path, file: Path, label: int, patient_ends: str) -> Sample:
    key = f"{file.parent.name}/{file.stem}"
    layers = folder / "layers" / f"{key}.png"
    if not layers.is_file():
        raise XaibenchError(f"{layers}: the layer map of {file.name} is missing; add it.")
    masks = tuple(MaskLayer(layers, grade, gray) for gray, grade in _GRADES.items())
    group = file.stem.partition(patient_ends)[0] if patient_ends else ""
    return Sample(key, file, label, masks, group=group)


def _read(sample: Sample) -> Picture:
    path = sample.masks[0].path
    strange = np.setdiff1d(read_values(path), list(_GRADES))
    if strange.size:
        raise XaibenchError(
            f"{path}: the gray {strange[0]} is no layer; use 255, 128, 64, 32 and 0 alone (PNG, "
            "resized to the nearest pixel)."
        )
    return read_files(sample)
