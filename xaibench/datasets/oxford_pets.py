"""Oxford-IIIT Pet: photographs of cats and dogs of 37 breeds, with masks."""

from functools import partial
from pathlib import Path
from typing import Literal

from torchvision.datasets import OxfordIIITPet

from xaibench.core.data import IGNORED, Dataset, MaskLayer, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.reading.vision_fetch import download
from xaibench.core.registry import dataset

_FOLDER, _PAGE = "oxford-iiit-pet", "https://www.robots.ox.ac.uk/~vgg/data/pets/"
_LISTS = {"trainval.txt": "train", "test.txt": "test"}
_SPECIES = {"1": "cat", "2": "dog"}
_ANIMAL, _BORDER = 1, 3


def fetch_oxford_pets(root: Path) -> Path:
    """Download the photographs by torchvision, which checks them, unless they lie below ``root``.

    Raises:
        XaibenchError: no connection, no space, or an archive that isn't intact.
    """
    if found := _find(root):
        return found
    example = root / _FOLDER / "annotations" / "trainval.txt"
    download(partial(OxfordIIITPet, root, download=True), root, _PAGE, example)
    return root / _FOLDER


@dataset(paper="parkhi2012pets", fetch=fetch_oxford_pets)
def oxford_pets(
    root: Path,
    *,
    by: Literal["species", "breed"] = "species",
    classes: tuple[str, ...] = (),
    per_class: int = 0,
) -> Dataset:
    """Read the photographs in their published layout; the border of the animal is left open.

    ``images/Abyssinian_100.jpg`` has the mask ``annotations/trimaps/Abyssinian_100.png``: 1 is the
    animal, 2 the background, and 3 the border, which no metric counts. ``trainval.txt`` and
    ``test.txt`` are the parts for ``--split official``.

    Args:
        root: folder that holds all data, or the one that holds ``images`` and ``annotations``.
        by: cats and dogs, or the 37 breeds.
        classes: those to use, in this order; all by default.
        per_class: keep the first so many images of each class and part; 0 keeps all.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    check_per_class("oxford_pets", per_class)
    folder = _find(root)
    if folder is None:
        raise not_found("oxford_pets", f"{_FOLDER} with images and annotations", root)
    rows = [
        (name, _SPECIES[species] if by == "species" else name.rpartition("_")[0], part)
        for table, part in _LISTS.items()
        for name, species in _read_list(folder / "annotations" / table)
    ]
    names = choose_classes("oxford_pets", sorted({kind for _, kind, _ in rows}), classes)
    samples = [
        _describe(folder, name, names.index(kind), part)
        for name, kind, part in rows
        if kind in names
    ]
    return Dataset(names, keep_first(samples, per_class))


def _find(root: Path) -> Path | None:
    return find_folder(root, lambda place: (place / "annotations" / "trimaps").is_dir())


def _read_list(table: Path) -> list[tuple[str, str]]:
    try:
        rows = [line.split() for line in table.read_text("utf-8").splitlines() if line.strip()]
        return [(row[0], row[2]) for row in rows if _SPECIES[row[2]]]
    except (OSError, UnicodeDecodeError, LookupError) as error:
        raise XaibenchError(
            f"{table}: not the list of images and species ({error}); get it again."
        ) from error


def _describe(folder: Path, name: str, label: int, part: str) -> Sample:
    image, mask = folder / "images" / f"{name}.jpg", folder / "annotations/trimaps" / f"{name}.png"
    for file in (image, mask):
        if not file.is_file():
            raise XaibenchError(f"{file}: missing; unpack the archive again.")
    layers = (MaskLayer(mask, value=_ANIMAL), MaskLayer(mask, IGNORED, _BORDER))
    return Sample(name, image, label, layers, part=part)
