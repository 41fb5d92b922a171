"""Dogs vs. Cats: photographs of either animal, as Kaggle or Microsoft hand them out."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from xaibench.core.data import Dataset, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import natural_order
from xaibench.core.reading.choice import check_per_class, keep_first
from xaibench.core.reading.headers import read_header
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.registry import dataset

_CLASSES = ("cat", "dog")
_LAYOUTS = (("train", r"{}\.\d+\.jpg"), ("PetImages/{}", r"\d+\.jpg"))
_EXAMPLES = "with train/cat.0.jpg, train/dog.0.jpg and so on (or PetImages/Cat, PetImages/Dog)"
_GET = (
    "get train.zip from https://www.kaggle.com/c/dogs-vs-cats/data (with an account) or PetImages "
    "from https://www.microsoft.com/en-us/download/details.aspx?id=54765 and unpack it there"
)
_log = logging.getLogger(__name__)


@dataset(paper="elson2007asirra")
def dogs_vs_cats(root: Path, *, per_class: int = 0, skip_damaged: bool = False) -> Dataset:
    """Read the training images of Kaggle's contest, or Microsoft's archive, below ``root``.

    They have labels (dog is 1), and neither masks nor published parts.

    Args:
        root: folder that holds all data, or the one that ``train`` or ``PetImages`` lies in.
        per_class: keep the first so many of each animal, by number; 0 keeps all.
        skip_damaged: leave out files that are no images, and name them in a warning; Microsoft's
            archive holds some.

    Raises:
        XaibenchError: it is not there, an image is empty, or an option is wrong.
    """
    check_per_class("dogs_vs_cats", per_class)
    folder = find_folder(root, lambda place: any(any(_list(place, name)) for name in _CLASSES))
    if folder is None:
        raise not_found("dogs_vs_cats", _EXAMPLES, root, _GET)
    samples = []
    for label, name in enumerate(_CLASSES):
        files = sorted(_list(folder, name), key=lambda file: natural_order(file.name))
        if not files:
            raise XaibenchError(f"{folder}: no image of a {name}; get all of dogs_vs_cats again.")
        whole = [file for file in files if not _leave_out(file, skip_damaged)]
        samples += [
            Sample(file.relative_to(folder).with_suffix("").as_posix(), file, label)
            for file in whole
        ]
    return Dataset(_CLASSES, keep_first(samples, per_class))


def _list(folder: Path, name: str) -> Iterator[Path]:
    for place, pattern in _LAYOUTS:
        within = folder / place.format(name.capitalize())
        if within.is_dir():
            named = re.compile(pattern.format(name))
            yield from (file for file in within.iterdir() if named.fullmatch(file.name))


def _leave_out(file: Path, skip_damaged: bool) -> bool:
    """Say whether a file is damaged and may be passed over; its header tells."""
    if not skip_damaged:
        if not file.stat().st_size:
            raise XaibenchError(
                f"{file}: an empty file; get it again, or pass over such with "
                "dogs_vs_cats[skip_damaged=true]."
            )
        return False
    try:
        read_header(file)
    except XaibenchError as error:
        _log.warning("dogs_vs_cats: left out: %s", error)
        return True
    return False
