"""Kvasir-SEG: endoscopy of the gut, polyps with masks, beside normal findings of Kvasir."""

from pathlib import Path

from xaibench.core.data import Dataset, MaskLayer, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import list_images
from xaibench.core.reading.choice import check_per_class, keep_first
from xaibench.core.reading.search import find_folder, folders_below, not_found
from xaibench.core.registry import dataset

_PAGE = "https://datasets.simula.no/kvasir-seg/"
_NORMAL = ("normal-cecum", "normal-pylorus", "normal-z-line")


@dataset(paper="jha2020kvasirseg")
def kvasir_seg(root: Path, *, normal: tuple[str, ...] = _NORMAL, per_class: int = 0) -> Dataset:
    """Read the 1,000 polyps of Kvasir-SEG, and normal images of Kvasir as the other class.

    ``Kvasir-SEG/images/NAME.jpg`` has the mask ``Kvasir-SEG/masks/NAME.jpg``. It holds nothing but
    polyps, so that a classifier needs folders of Kvasir, such as ``normal-cecum``, anywhere below
    ``root``. They show other places of the gut: a classifier may tell the place and not the polyp.
    Its license could not be verified, so that it isn't downloaded.

    Args:
        root: folder that holds all data.
        normal: folders of Kvasir whose images are normal; those that are there count.
        per_class: keep the first so many images of each class; 0 keeps all.

    Raises:
        XaibenchError: one of the two isn't there, or a mask is missing.
    """
    check_per_class("kvasir_seg", per_class)
    polyps = find_folder(root, _fits)
    get = f"get it from {_PAGE} and unpack it there"
    if polyps is None:
        raise not_found("kvasir_seg", "Kvasir-SEG with images and masks", root, get)
    places = {place.name: place for place in folders_below(root) if place.name in normal}
    if not places:
        get = "get Kvasir from https://datasets.simula.no/kvasir/ and unpack it there"
        raise not_found("kvasir_seg", f"of {', '.join(normal)}", root, get)
    samples = [_polyp(polyps, file) for file in list_images(polyps / "images")]
    samples += [
        Sample(f"{name}/{file.stem}", file, 0)
        for name, place in sorted(places.items())
        for file in list_images(place)
    ]
    return Dataset(("normal", "polyp"), keep_first(samples, per_class))


def _fits(place: Path) -> bool:
    named = place.name.lower().startswith("kvasir-seg")
    return named and (place / "images").is_dir() and (place / "masks").is_dir()


def _polyp(folder: Path, image: Path) -> Sample:
    mask = folder / "masks" / image.name
    if not mask.is_file():
        raise XaibenchError(f"{mask}: missing; unpack the archive again.")
    return Sample(f"polyp/{image.stem}", image, 1, (MaskLayer(mask),))
