"""High-frequency ultrasound of the skin, with a map of its layers beside each image."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from xaibench.core.data import Dataset, MaskLayer, Picture, Sample, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import list_images
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.images import read_values
from xaibench.core.reading.layer_grades import Grades, layer_masks, read_grades
from xaibench.core.reading.search import find_folder, not_found, subfolders
from xaibench.core.registry import dataset

_FOLDER = "skin_hfus"
_GRADES: Grades = {255: 3, 128: 2, 64: 1, 32: 0, 0: -1}
_LAYOUT = f"{_FOLDER}/images/CLASS/NAME.png and {_FOLDER}/layers/CLASS/NAME.png"


@dataset(paper="czajkowska2021hfus")
def skin_hfus(
    root: Path,
    *,
    classes: tuple[str, ...] = (),
    per_class: int = 0,
    patient_ends: str = "",
    layers: str = "",
    grades: tuple[str, ...] = (),
    rest: int = -1,
) -> Dataset:
    """Read ``skin_hfus/images/CLASS/NAME.png`` and the layer maps ``skin_hfus/layers/CLASS/...``.

    A layer map is a gray PNG of the image's size whose levels 255, 128, 64, 32 and 0 are the
    relevance grades 3, 2, 1, 0 and -1; or it is made of a mask for each layer, by ``grades`` with
    names. Patients may be named by a table, too: ``run --groups``.

    Args:
        root: folder that holds all data, or ``skin_hfus`` itself.
        classes: class folders to use, in this order; all by default, sorted.
        per_class: keep the first so many images of each class; 0 keeps all.
        patient_ends: what the patient's part of a file name ends with: given ``_``, the images
            ``p7_left.png`` and ``p7_2.png`` are of one patient. Without it each is a group of its
            own.
        layers: folder of the layer maps or masks, absolute or below ``root``; by default that
            beside ``images``.
        grades: of a layer map's grays, such as ``200:3+100:1+0:-1``; or of layers whose masks are
            ``layers/LAYER/CLASS/NAME.png`` or ``layers/CLASS/NAME_LAYER.png``, such as
            ``epidermis:3+dermis:1``. Where masks overlap the highest counts.
        rest: the grade of what no layer's mask marks.

    Raises:
        XaibenchError: it is not there, a layer map is missing or has other grays, or an option is
            wrong.
    """
    check_per_class(_FOLDER, per_class)
    known = read_grades(_FOLDER, grades) if grades else _GRADES
    own = _own_folder(root, layers)
    parts = ("images",) if own else ("images", "layers")
    folder = find_folder(root.absolute(), lambda place: _fits(place, root.absolute(), parts))
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
    by_mask = any(isinstance(key, str) for key in known)
    samples = keep_first(
        [
            _describe(own or folder / "layers", file, label, patient_ends, known, rest)
            for label, name in enumerate(names)
            for file in _list_images(folder / "images" / name)
        ],
        per_class,
    )
    if by_mask:
        return Dataset(names, samples, notes=tuple(_lacking(samples, known)))
    return Dataset(names, samples, partial(_read, grades=known))


def _own_folder(root: Path, layers: str) -> Path | None:
    """Return the user's folder of layers, None where it is beside the images."""
    if not layers:
        return None
    folder = root.absolute() / layers
    if not folder.is_dir():
        raise XaibenchError(f"skin_hfus[layers={layers}]: {folder} is no folder; name one.")
    return folder


def _lacking(samples: Sequence[Sample], grades: Grades) -> Iterator[str]:
    """Say of which layers some images have no mask."""
    for name, grade in grades.items():
        count = sum(all(mask.grade != grade for mask in each.masks[:-1]) for each in samples)
        if count:
            yield f"skin_hfus: {count} of {len(samples)} images have no mask of layer {name}"


def _fits(place: Path, root: Path, parts: Sequence[str]) -> bool:
    # Folders called images are everywhere, so that the name must tell, or the user.
    named = place.name == _FOLDER or place == root
    return named and all((place / part).is_dir() for part in parts)


def _list_images(folder: Path) -> list[Path]:
    images = list_images(folder)
    if not images:
        raise XaibenchError(f"{folder}: no images; add some, or leave this class out.")
    return images


def _describe(
    folder: Path, file: Path, label: int, patient_ends: str, grades: Grades, rest: int
) -> Sample:
    key = f"{file.parent.name}/{file.stem}"
    if any(isinstance(name, str) for name in grades):
        masks = tuple(layer_masks(folder, file.parent.name, file.stem, grades, rest))
    else:
        layers = folder / f"{key}.png"
        if not layers.is_file():
            raise XaibenchError(f"{layers}: the layer map of {file.name} is missing; add it.")
        masks = tuple(MaskLayer(layers, grade, int(gray)) for gray, grade in grades.items())
    group = file.stem.partition(patient_ends)[0] if patient_ends else ""
    return Sample(key, file, label, masks, group=group)


def _read(sample: Sample, *, grades: Grades) -> Picture:
    path = sample.masks[0].path
    strange = np.setdiff1d(read_values(path), list(grades))
    if strange.size:
        raise XaibenchError(
            f"{path}: the gray {strange[0]} is no layer; use {', '.join(map(str, grades))} alone "
            "(PNG, resized to the nearest pixel), or say what grays stand for: "
            "skin_hfus[grades=...]."
        )
    return read_files(sample)
