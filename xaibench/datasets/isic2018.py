"""ISIC 2018: dermoscopy of seven kinds of skin lesions, with masks where there are any."""

from pathlib import Path

from xaibench.core.data import Dataset, MaskLayer, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.search import folders_below, not_found
from xaibench.core.reading.spreadsheet import read_lines
from xaibench.core.registry import dataset

_CLASSES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
_PARTS = {"Training": "train", "Validation": "validation", "Test": "test"}
_GROUPS, _MASK = "ISIC2018_Task3_Training_LesionGroupings.csv", "_segmentation.png"
_PLACE = "https://isic-challenge-data.s3.amazonaws.com/2018/"


@dataset(paper="codella2019isic")
def isic2018(
    root: Path, *, classes: tuple[str, ...] = ("MEL", "NV"), per_class: int = 0
) -> Dataset:
    """Read the images of task 3 (HAM10000), and masks of whatever is called like them.

    ``ISIC2018_Task3_Training_Input/ISIC_0024306.jpg`` has a row in the table of the folder
    ``ISIC2018_Task3_Training_GroundTruth``; Validation and Test have the same structure and are
    parts for ``--split official``. Images of one lesion stay in one part, where the table of lesion
    groups is there. The challenge's masks are of other images (task 1); those of HAM10000, which
    Tschandl published, are found as ``ISIC_0024306_segmentation.png`` anywhere below ``root``.
    Licenses could not be verified, so that nothing is downloaded.

    Args:
        root: folder that holds all data.
        classes: of MEL, NV, BCC, AKIEC, BKL, DF and VASC; labels count in this order.
        per_class: keep the first so many images of each class and part; 0 keeps all.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    names = choose_classes("isic2018", _CLASSES, classes)
    check_per_class("isic2018", per_class)
    places = {place.name: place for place in folders_below(root)}
    masks = {
        file.name.removesuffix(_MASK): file
        for place in places.values()
        for file in place.glob(f"*{_MASK}")
    }
    lesions = _read_lesions([*places.values()])
    samples = []
    for named, part in _PARTS.items():
        images = places.get(f"ISIC2018_Task3_{named}_Input")
        truth = places.get(f"ISIC2018_Task3_{named}_GroundTruth")
        if images is None or truth is None:
            continue
        table = truth / f"{truth.name}.csv"
        wanted = ("image", *(name.lower() for name in _CLASSES))
        for line in read_lines(table, str(table), wanted, "get it again"):
            kinds = [name for name in _CLASSES if float(line.cells[name.lower()] or 0) == 1]
            if len(kinds) != 1:
                raise XaibenchError(f"{line.where}: {len(kinds)} classes, not one; get it again.")
            name, (kind,) = line.cells["image"], kinds
            if kind in names:
                samples.append(_describe(images, name, names.index(kind), part, masks, lesions))
    if not samples:
        get = f"get ISIC2018_Task3_Training_Input.zip and _GroundTruth.zip from {_PLACE}"
        folders = "ISIC2018_Task3_Training_Input and _GroundTruth"
        raise not_found("isic2018", folders, root, get)
    return Dataset(names, keep_first(samples, per_class))


def _read_lesions(places: list[Path]) -> dict[str, str]:
    """Return the lesion of each training image, nothing where the table isn't there."""
    table = next((place / _GROUPS for place in places if (place / _GROUPS).is_file()), None)
    if table is None:
        return {}
    lines = read_lines(table, str(table), ("image", "lesion_id"), "get it again")
    return {cells["image"]: cells["lesion_id"] for _, cells in lines}


def _describe(
    images: Path,
    name: str,
    label: int,
    part: str,
    masks: dict[str, Path],
    lesions: dict[str, str],
) -> Sample:
    file = images / f"{name}.jpg"
    if not file.is_file():
        raise XaibenchError(f"{file}: missing; unpack the archive again.")
    layers = (MaskLayer(masks[name]),) if name in masks else ()
    return Sample(name, file, label, layers, group=lesions.get(name, ""), part=part)
