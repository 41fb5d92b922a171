"""The images by which weakly supervised localization is compared: OpenImages30k, and birds."""

from pathlib import Path
from typing import Literal

from xaibench.core.data import Dataset, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.reading.wsol_files import PARTS, ListedImage, read_lists
from xaibench.core.registry import dataset

_PAGE = "https://github.com/clovaai/wsolevaluation"
_FOLDERS = {"openimages": "OpenImages", "cub": "CUB"}


@dataset(paper="choe2020wsol")
def wsol_images(
    root: Path,
    *,
    of: Literal["openimages", "cub"] = "openimages",
    classes: tuple[str, ...] = (),
    per_class: int = 0,
) -> Dataset:
    """Read OpenImages30k with masks, or CUB with CUBV2 and boxes, in wsolevaluation's layout.

    ``metadata/OpenImages/{train,val,test}`` list the images of ``dataset/OpenImages``, and likewise
    for CUB; they are its train-weaksup, train-fullsup and test, which are the parts of
    ``--split official``. Of train-weaksup the class is known and nothing else. What OpenImages
    leaves open around an object counts for no metric.

    Args:
        root: folder that holds all data, or the one that holds ``metadata`` and ``dataset``.
        of: which of them.
        classes: those to use, in this order, by the names of their folders; all by default.
        per_class: keep the first so many images of each class and part; 0 keeps all.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    check_per_class("wsol_images", per_class)
    name = _FOLDERS[of]
    place = find_folder(
        root, lambda e: (e / "metadata" / name).is_dir() and (e / "dataset" / name).is_dir()
    )
    if place is None:
        layout = f"with metadata/{name} and dataset/{name}"
        raise not_found("wsol_images", layout, root, f"get both as {_PAGE} says")
    data = place / "dataset" / name
    listed = read_lists(place / "metadata" / name, data)
    names = _name_classes(listed)
    chosen = choose_classes("wsol_images", tuple(names.values()), classes)
    samples = [
        Sample(
            each.file.rpartition(".")[0],
            data / each.file,
            chosen.index(names[each.label]),
            each.masks,
            each.boxes,
            part=each.part,
        )
        for each in listed
        if names[each.label] in chosen
    ]
    for sample in samples:
        for file in (sample.path, *(layer.path for layer in sample.masks)):
            if not file.is_file():
                raise XaibenchError(f"{file}: missing, though a list names it; get it again.")
    return Dataset(chosen, keep_first(samples, per_class))


def _name_classes(listed: list[ListedImage]) -> dict[int, str]:
    """Return the classes' names by number: the folders in which their images lie.

    Raises:
        XaibenchError: images of one class lie in several.
    """
    names: dict[int, str] = {}
    for each in listed:
        folder = next(s for s in each.file.split("/") if s not in PARTS)
        if names.setdefault(each.label, folder) != folder:
            raise XaibenchError(
                f"{each.file}: its class {each.label} has images in {names[each.label]}, too; get "
                "the lists again."
            )
    return dict(sorted(names.items()))
