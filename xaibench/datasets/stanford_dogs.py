"""Stanford Dogs: photographs of 120 breeds with bounding boxes."""

from dataclasses import replace
from pathlib import Path

from xaibench.core.data import Dataset, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import list_images
from xaibench.core.reading.archives import known_archive
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.fetch import fetch_archive
from xaibench.core.reading.matlab import read_names
from xaibench.core.reading.search import find_folder, not_found, subfolders
from xaibench.core.reading.voc_xml import read_boxes
from xaibench.core.registry import dataset

_ARCHIVES = {kind: known_archive(f"stanford_dogs_{kind}") for kind in ("images", "boxes", "lists")}
_FOLDER = "stanford_dogs"
_DOG = "n02085620-Chihuahua/n02085620_7"
_FETCH = "run `xaibench fetch stanford_dogs`"
_LISTS = {"train": "train_list.mat", "test": "test_list.mat"}


def fetch_stanford_dogs(root: Path) -> Path:
    """Download images, boxes and lists from the authors, as far as they don't lie below ``root``.

    Raises:
        XaibenchError: no connection, no space, or an archive that is not complete.
    """
    folder = _find(root) or root / _FOLDER
    for kind, name, example in (
        ("images", "Images", f"{_DOG}.jpg"),
        ("boxes", "Annotation", _DOG),
        ("lists", "lists", "train_list.mat"),
    ):
        if not (folder / name).is_dir():
            fetch_archive(_ARCHIVES[kind], folder, name, example, flat=kind == "lists")
    stanford_dogs(folder)  # names what is missing
    return folder


@dataset(paper="khosla2011dogs", fetch=fetch_stanford_dogs)
def stanford_dogs(root: Path, *, classes: tuple[str, ...] = (), per_class: int = 0) -> Dataset:
    """Read Stanford Dogs in its official layout, anywhere below ``root``.

    The mask of an image is the box, or boxes, of its dogs. Parts are the published training and
    test images, where the folder ``lists`` names them.

    Args:
        root: folder that holds all data, or that of the dogs itself.
        classes: breeds by name, with or without number (``n02085620-Chihuahua``); all by default.
        per_class: keep the first so many of each class in each of training and test; 0 keeps all.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    check_per_class("stanford_dogs", per_class)
    folder = _find(root)
    if folder is None:
        layout = f"with Images/{_DOG}.jpg, Annotation/{_DOG} and so on"
        raise not_found("stanford_dogs", layout, root)
    breeds = [place.name for place in subfolders(folder / "Images")]
    aliases = {breed.partition("-")[2]: breed for breed in breeds}
    names = choose_classes("stanford_dogs", breeds, classes, aliases)
    parts = _read_lists(folder)
    found = [
        Sample(key := f"{name}/{path.stem}", path, label, part=parts.get(key, ""))
        for label, name in enumerate(names)
        for path in list_images(folder / "Images" / name)
    ]
    there = {sample.id for sample in found}
    for key in parts:
        if key not in there and key.partition("/")[0] in names:
            images = folder / "Images"
            raise XaibenchError(f"{images}: {key}.jpg is missing; remove {images} and {_FETCH}.")
    kept = keep_first(found, per_class)
    return Dataset(names, tuple(_add_boxes(folder, sample) for sample in kept))


def _find(root: Path) -> Path | None:
    return find_folder(root, lambda place: any((place / "Images").glob("n*-*/")))


def _read_lists(folder: Path) -> dict[str, str]:
    """Return the part of each image, nothing where the lists are not there."""
    tables = ((part, folder / "lists" / table) for part, table in _LISTS.items())
    return {
        file.rpartition(".")[0]: part
        for part, table in tables
        if table.is_file()
        for file in read_names(table, "file_list")
    }


def _add_boxes(folder: Path, sample: Sample) -> Sample:
    boxes = folder / "Annotation"
    if not (boxes / sample.id).is_file():
        raise XaibenchError(f"{boxes}: {sample.id} is missing; remove {boxes} and {_FETCH}.")
    return replace(sample, boxes=read_boxes(boxes / sample.id))
