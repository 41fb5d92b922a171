"""The images of a folder by class, and the masks and boxes of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import composed
from xaibench.core.reading.folders.arrangement import Arrangement
from xaibench.core.reading.folders.listing import Listing, list_names
from xaibench.core.reading.folders.pairing import pair
from xaibench.core.reading.images import IMAGE_ENDINGS, is_image, without_ending
from xaibench.core.reading.mask_names import split_off_masks

MASKS, BOXES = "masks", "boxes"
_ENDING = ".xml"


@dataclass
class Found:
    """What lies below a folder: files by the key of their image, and what belongs to none.

    Images are by class, too.
    """

    images: dict[str, dict[str, list[Path]]] = field(default_factory=dict)
    masks: dict[str, list[Path]] = field(default_factory=dict)
    boxes: dict[str, list[Path]] = field(default_factory=dict)
    orphans: list[Path] = field(default_factory=list)

    @property
    def keys(self) -> dict[str, None]:
        """Of all images, in order."""
        return {key: None for images in self.images.values() for key in images}


def find_images(place: Path, layout: Arrangement) -> Found:
    """Return the images of each class, without the masks beside them.

    Raises:
        XaibenchError: more masks lack an image than have one.
    """
    found = Found({name: {} for name in layout.classes})
    files: dict[str, dict[str, list[Path]]] = {name: {} for name in layout.classes}
    for file, home in layout.homes.items():
        files[home.label].setdefault(key_of_image(file), []).append(place / file)
    for name, keyed in files.items():
        found.images[name], masks, orphans = split_off_masks(keyed)
        found.masks.update(masks)
        found.orphans += orphans
    return found


def check_images(place: Path, found: Found, classes: Sequence[str]) -> None:
    """Make sure that each class has images, and each image a name of its own.

    Raises:
        XaibenchError: a class has none, or two files differ in nothing but their ending.
    """
    for name in classes:
        if not found.images[name]:
            raise XaibenchError(
                f"{place / name}: no images ({', '.join(sorted(IMAGE_ENDINGS))}); add some, "
                "or name the class folders with classes=A+B."
            )
        for paths in found.images[name].values():
            if len(paths) > 1:
                raise XaibenchError(
                    f"{paths[0]} and {paths[1].name} differ only in their ending, or in how an "
                    "accent is written; rename one."
                )


def find_beside(place: Path, listing: Listing, found: Found) -> None:
    """Add the box files that lie beside images."""
    keys = found.keys
    for file in listing.files:
        if file.lower().endswith(_ENDING) and key_of_image(file) in keys:
            found.boxes.setdefault(key_of_image(file), []).append(place / file)


def find_in_folders(
    place: Path, layout: Arrangement, trees: Mapping[str, Path], found: Found
) -> None:
    """Add the files in folders of their own, which options name or which were recognized.

    Raises:
        XaibenchError: two folders hold masks of the same images, or one's files fit none.
    """
    first: dict[tuple[str, str], str] = {}
    for kind, tree in trees.items():
        files = [file for file in list_names(tree).files if _kind(file) == kind]
        _pair_all(kind, tree, files, "", layout, found, f"{kind}={tree}")
    for folder, of, below in layout.annotations:
        for kind in (MASKS, BOXES):
            files = [file[len(folder) + 1 :] for file in below if _kind(file) == kind]
            if not files or kind in trees:
                continue
            if (other := first.setdefault((kind, of), folder)) != folder:
                raise XaibenchError(
                    f"{place}: {other} and {folder} both hold {kind} of the same images; name one "
                    f"of them with {kind}=."
                )
            _pair_all(kind, place / folder, files, of, layout, found, str(place / folder))


def _pair_all(
    kind: str,
    folder: Path,
    files: Iterable[str],
    of: str,
    layout: Arrangement,
    found: Found,
    where: str,
) -> None:
    pairs = pair(list(found.keys), files, of, layout.plain, where)
    into = found.masks if kind == MASKS else found.boxes
    for key, names in pairs.files.items():
        into.setdefault(key, []).extend(folder / name for name in names)
    found.orphans += (folder / name for name in pairs.orphans)


def _kind(file: str) -> str:
    return MASKS if is_image(file) else BOXES if file.lower().endswith(_ENDING) else ""


def key_of_image(file: str) -> str:
    """Return a path without its ending, composed."""
    return composed(without_ending(file))
