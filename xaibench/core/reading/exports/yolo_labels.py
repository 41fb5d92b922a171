"""YOLO's labels: a text file for each image, in a folder ``labels`` or beside it."""

from collections.abc import Sequence
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.categories import NAMES_FILES
from xaibench.core.reading.exports.gallery import ImageNames
from xaibench.core.reading.exports.marked import Marked
from xaibench.core.reading.exports.things import Thing, share_polygon
from xaibench.core.reading.folders.find import key_of_image
from xaibench.core.reading.folders.names import names_images, part_of
from xaibench.core.reading.yolo import has_poses, read_names, read_polygons

_LISTS = ("classes.txt", "obj.names", "labels/classes.txt")
_ENDING, _LABELS, _YAML = ".txt", "labels", (".yaml", ".yml")


def label_files(images: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """Return the label file of each image that has one, all paths below one folder."""
    there = {file for file in files if file.lower().endswith(_ENDING)} - set(_LISTS)
    found = {}
    for image in images:
        for path in _places(image):
            if path in there:
                found[image] = path
                break
    return found


def read_yolo(
    place: Path, gallery: ImageNames, files: Sequence[str], naming: Path | None = None
) -> tuple[list[Marked], tuple[str, ...]]:
    """Return all images of a folder; those without a label file have no objects.

    Args:
        place: the folder.
        gallery: its images.
        files: all of its files, by their paths below it.
        naming: the file that names the classes; by default one of the usual names.

    Raises:
        XaibenchError: nothing names the classes, or a label is malformed.
    """
    naming = naming or _naming(place)
    names, posed = _names(naming), naming.suffix in _YAML and has_poses(naming)
    labels = label_files(gallery.files, files)
    found = []
    for file in gallery.files:
        source = place / labels[file] if file in labels else naming
        outlines = read_polygons(source, len(names), posed=posed) if file in labels else []
        things: tuple[Thing, ...] = tuple(
            share_polygon(names[each.kind], each.corners) for each in outlines
        )
        part = next((p for step in file.split("/")[:-1] if (p := part_of(step))), "")
        found.append(Marked(key_of_image(file), place / file, source, things, part=part))
    bare = len(gallery.files) - len(labels)
    said = (f"{bare} images have no label file: YOLO takes them for empty.",) if bare else ()
    return found, said


def _places(image: str) -> list[str]:
    """Return where an image's label file may lie: beside it, or in labels instead of images."""
    key = image.rpartition(".")[0] + _ENDING
    steps = key.split("/")
    swapped = [
        "/".join([*steps[:at], _LABELS, *steps[at + 1 :]])
        for at, step in enumerate(steps[:-1])
        if names_images(step)
    ]
    return [key, *reversed(swapped), f"{_LABELS}/{key}"]


def _naming(place: Path) -> Path:
    for name in (*NAMES_FILES, *_LISTS):
        if (place / name).is_file():
            return place / name
    raise XaibenchError(
        f"{place}: labels as YOLO writes them, but nothing names their classes; add a data.yaml "
        "with 'names: [a, b]', in the order of their numbers."
    )


def _names(source: Path) -> tuple[str, ...]:
    if source.suffix in _YAML:
        return read_names(source)
    lines = source.read_text("utf-8", "replace").splitlines()
    return tuple(line.strip() for line in lines if line.strip())
