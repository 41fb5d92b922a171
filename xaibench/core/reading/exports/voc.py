"""Pascal VOC's XML where no folders say the classes: the objects do."""

from collections.abc import Sequence
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.exports.gallery import ImageNames
from xaibench.core.reading.exports.marked import Marked
from xaibench.core.reading.exports.things import polygon
from xaibench.core.reading.fill import corners_of_box
from xaibench.core.reading.folders.find import key_of_image
from xaibench.core.reading.folders.names import part_of
from xaibench.core.reading.headers import read_header
from xaibench.core.reading.voc_xml import read_objects


def read_voc(
    place: Path, files: Sequence[str], gallery: ImageNames
) -> tuple[list[Marked], tuple[str, ...]]:
    """Return the images that a file of the same name describes, and how many others there are.

    Raises:
        XaibenchError: a file isn't as it should be, or could belong to several images.
    """
    owners: dict[str, list[str]] = {}
    for image in gallery.files:
        owners.setdefault(key_of_image(image).rpartition("/")[2], []).append(image)
    found = []
    for file in (file for file in files if file.lower().endswith(".xml")):
        mine = owners.get(key_of_image(file).rpartition("/")[2], [])
        beside = [each for each in mine if key_of_image(each) == key_of_image(file)]
        if len(mine) > 1 and not beside:
            raise XaibenchError(
                f"{place / file}: it could belong to {mine[0]} or to {mine[1]}; put it beside its "
                "image."
            )
        for image in (beside or mine)[:1]:
            header = read_header(place / image)
            objects = read_objects(place / file, (header.width, header.height))
            things = tuple(polygon(each.name, corners_of_box(*each.box)) for each in objects)
            part = next((p for step in image.split("/")[:-1] if (p := part_of(step))), "")
            found.append(
                Marked(key_of_image(image), place / image, place / file, things, part=part)
            )
    bare = len(gallery.files) - len(found)
    return found, (f"{bare} images have no XML file and are left out.",) if bare else ()
