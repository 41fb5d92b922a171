"""Which export of a labeling tool lies in a folder, told by what its files hold."""

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import natural_order
from xaibench.core.reading.categories import NAMES_FILES
from xaibench.core.reading.choice import LEAST_CLASSES
from xaibench.core.reading.exports.coco_json import is_coco, read_coco
from xaibench.core.reading.exports.cvat import ROOT, read_cvat
from xaibench.core.reading.exports.gallery import ImageNames
from xaibench.core.reading.exports.label_studio import is_label_studio, read_label_studio
from xaibench.core.reading.exports.labelme import count_bare, is_labelme, read_labelme
from xaibench.core.reading.exports.marked import Marked
from xaibench.core.reading.exports.voc import read_voc
from xaibench.core.reading.exports.yolo_labels import label_files, read_yolo
from xaibench.core.reading.folders.arrangement import arrange
from xaibench.core.reading.folders.find import key_of_image
from xaibench.core.reading.folders.listing import Listing, list_names
from xaibench.core.reading.folders.looks import look_like_masks
from xaibench.core.reading.folders.names import part_of
from xaibench.core.reading.images import is_image

LABELME = "LabelMe"
_EXPORTED = frozenset({".json", ".xml", ".yaml", ".yml"})
_OF_ONE_IMAGE = frozenset({LABELME, "Pascal VOC"})
_ENDINGS = (".json", ".xml", ".txt")
_START = 4096
_MOST_READ = 20
Read = Callable[[ImageNames], tuple[list[Marked], tuple[str, ...]]]


class Export(NamedTuple):
    """One export: what it is called, the files it is recognized by, and how it is read."""

    kind: str
    source: Path
    read: Read


class Exports(NamedTuple):
    """What describes a folder's images, or adds objects to the images of class folders.

    ``unread`` are the folder's files without those of JSON that are read.
    """

    whole: Sequence[Export] = ()
    beside: Sequence[Export] = ()
    unread: tuple[str, ...] = ()


def find_exports(place: Path, listing: Listing | None, classes: Sequence[str]) -> Exports:
    """Return what a named file is, or the exports in a folder.

    Boxes of Pascal VOC in class folders are read with these.

    Args:
        place: a file or a folder.
        listing: of the folder; None for a file.
        classes: those that an option names.

    Raises:
        XaibenchError: a file is none that can be read, or exports lie beside class folders.
    """
    if listing is None:
        return Exports([_export_in(place)] if place.suffix.lower() in _EXPORTED else [])
    found = exports_below(place, listing.files)
    unread = tuple(f for f in listing.files if not (found and f.lower().endswith(".json")))
    texts = [file for file in listing.files if file.lower().endswith(".json")]
    homes = arrange(listing, partial(look_like_masks, place)).homes if found or texts else {}
    if texts and not (found or homes or classes):
        _export_in(place / texts[0])  # which says why it is none
    folders = sorted({home.label for home in homes.values()}, key=natural_order)
    if len(folders) < LEAST_CLASSES:
        return Exports(found, unread=unread)
    whole = [export for export in found if export.kind not in _OF_ONE_IMAGE]
    if whole and not (classes and set(classes) <= set(folders)):
        raise XaibenchError(
            f"{place}: class folders ({folders[0]}, {folders[1]}) lie beside {whole[0].kind}'s "
            f"{whole[0].source.name}; name that file with path= for its objects, or the folders "
            f"with classes={'+'.join(folders[:2])} (and so on)."
        )
    beside = [export for export in found if export.kind == LABELME]
    return Exports(beside=beside, unread=unread if beside else listing.files)


def _export_in(source: Path) -> Export:
    """Return what a file is.

    Raises:
        XaibenchError: none of what can be read.
    """
    if source.suffix.lower() in (".yaml", ".yml"):
        return _yolo(source.parent, source)
    if source.suffix.lower() == ".xml":
        return Export("CVAT", source, partial(read_cvat, source))
    found = _export_of_json(source, load_json(source))
    if found is None:
        raise XaibenchError(
            f"{source}: neither COCO's JSON nor Label Studio's; export it as one of them, or name "
            "the folder of LabelMe's files."
        )
    return found


def exports_below(place: Path, files: Sequence[str]) -> list[Export]:
    """Return the exports in a folder, whose files are told by their paths below it."""
    texts = [file for file in files if file.lower().endswith(_ENDINGS)]
    images = [file for file in files if is_image(file)] if texts else []
    names = {_stem(image) for image in images}
    found = []
    of_images: dict[str, list[str]] = {ending: [] for ending in _ENDINGS}
    alone: dict[str, list[str]] = {ending: [] for ending in _ENDINGS}
    for file in texts:
        into = of_images if _stem(file) in names else alone
        into[next(ending for ending in _ENDINGS if file.lower().endswith(ending))].append(file)
    for file in alone[".json"][:_MOST_READ]:
        if export := _export_of_json(place / file, _peek(place / file)):
            found.append(export)
    for file in alone[".xml"]:
        if _begins_with(place / file, ROOT):
            found.append(Export("CVAT", place / file, partial(read_cvat, place / file)))
    texts = [*of_images[".json"][:_MOST_READ], *alone[".json"][:_MOST_READ]]
    if any(is_labelme(_peek(place / file)) for file in texts):
        found.append(Export(LABELME, place, partial(_read_labelme, place, files)))
    if any(_begins_with(place / file, "annotation") for file in of_images[".xml"][:_MOST_READ]):
        found.append(Export("Pascal VOC", place, partial(read_voc, place, files)))
    named = any((place / name).is_file() for name in NAMES_FILES)
    labels = label_files(images, files) if of_images[".txt"] else {}
    first = (place / label for label in [*labels.values()][:_MOST_READ])
    if labels and (named or any(map(_is_label, first))):
        found.append(_yolo(place))
    return found


def load_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        XaibenchError: it can't be read.
    """
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise XaibenchError(f"{path}: not readable JSON ({error}); fix or remove it.") from error


def _yolo(place: Path, naming: Path | None = None) -> Export:
    def read(gallery: ImageNames) -> tuple[list[Marked], tuple[str, ...]]:
        return read_yolo(place, gallery, list_names(place).files, naming)

    return Export("YOLO", place, read)


def _export_of_json(source: Path, content: Any) -> Export | None:
    if is_coco(content):
        return Export("COCO", source, partial(read_coco, source, content))
    if is_label_studio(content):
        return Export("Label Studio", source, partial(read_label_studio, source, content))
    return None


def _peek(source: Path) -> Any:
    try:
        return load_json(source)
    except XaibenchError:  # whoever names the file is told
        return None


def _begins_with(path: Path, root: str) -> bool:
    try:
        with path.open("rb") as file:
            return re.search(rf"<{root}[\s>]".encode(), file.read(_START)) is not None
    except OSError:
        return False


def _stem(file: str) -> str:
    return key_of_image(file).rpartition("/")[2]


def _is_label(path: Path) -> bool:
    """Whether a text file begins with a class and at least four numbers."""
    try:
        first = path.read_text("utf-8").split("\n", 1)[0].split()
        return len([float(cell) for cell in first]) > 4  # noqa: PLR2004
    except (OSError, ValueError):
        return False


def _read_labelme(
    place: Path, files: Sequence[str], gallery: ImageNames
) -> tuple[list[Marked], tuple[str, ...]]:
    """Return the images of LabelMe's files, each beside its image or told by ``imagePath``."""
    found = []
    own = {key_of_image(image): image for image in gallery.files}
    named = {_stem(image): image for image in reversed(gallery.files)}
    for file in files:
        content: Any = load_json(place / file) if file.lower().endswith(".json") else None
        if not is_labelme(content):
            continue
        things, size, label = read_labelme(place / file, content)
        name = str(content.get("imagePath") or "").replace("\\", "/").rpartition("/")[2]
        near = file.rpartition("/")[0]
        image = gallery.find(name, near) if name else None
        beside = own.get(key_of_image(file))
        if image and beside and image != beside:
            raise XaibenchError(
                f"{place / file}: its imagePath is '{name}', but {beside} lies beside it; put "
                "right which image it describes."
            )
        image = image or named.get(_stem(file))
        if image is None:
            raise XaibenchError(
                f"{place / file}: its image '{name}' isn't there; put it beside it."
            )
        part = next((p for step in image.split("/")[:-1] if (p := part_of(step))), "")
        told = things, size, label, part, count_bare(content)
        found.append(Marked(key_of_image(image), place / image, place / file, *told))
    return found, ()
