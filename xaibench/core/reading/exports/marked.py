"""Images whose objects an export names: what each stands for, and its mask."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xaibench.core.data import IGNORED, Dataset, Mask, MaskLayer, Picture, Sample, merge_annotations
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import natural_order
from xaibench.core.reading.choice import LEAST_CLASSES, choose_classes, tell_alike
from xaibench.core.reading.exports.things import Thing
from xaibench.core.reading.folders.remarks import tell_parts
from xaibench.core.reading.headers import read_header
from xaibench.core.reading.images import check_upright, is_image, read_image
from xaibench.core.reading.picking import Objects, name_picture

_MOST_CHECKED = 20_000
Size = tuple[int, int]
"""Width and height."""


class Marked(NamedTuple):
    """One image of an export.

    Attributes:
        id: of its sample.
        image: the file.
        source: the file that names its objects.
        things: these.
        size: on which they were drawn, if they are in pixels.
        label: what the image as a whole was called; empty where only its objects have names.
        part: of a split; empty where none is told.
        bare: how many points, lines and other objects it has that cover nothing and don't count.
    """

    id: str
    image: Path
    source: Path
    things: tuple[Thing, ...]
    size: Size | None = None
    label: str = ""
    part: str = ""
    bare: int = 0


class Wanted(NamedTuple):
    """What options say of an export.

    Attributes:
        classes: those to use, in this order; all by default.
        objects: which object an image without a label stands for.
        nothing: the class of images without objects; empty leaves them out.
    """

    classes: tuple[str, ...] = ()
    objects: Objects = "largest"
    nothing: str = ""


def drop_void(each: Marked) -> Marked:
    """Return an image without the objects that have no area or lie outside of it."""
    width, height = each.size or (math.inf, math.inf)

    def covers(thing: Thing) -> bool:
        left, top, right, bottom = thing.bounds or (0.0, 0.0, 1.0, 1.0)
        inside = left < width and top < height and right > 0 and bottom > 0
        return thing.area > 0 and left < right and top < bottom and inside

    things = tuple(thing for thing in each.things if covers(thing))
    return each._replace(things=things, bare=each.bare + len(each.things) - len(things))


def make_dataset(place: Path, marked: Sequence[Marked], wanted: Wanted) -> Dataset:
    """Return images with the classes that they stand for; the mask is all objects of that class.

    Raises:
        XaibenchError: fewer than two classes are there, an image can't be read, or has another size
            than the one that its objects were drawn on.
    """
    if wanted.nothing in _names(marked):
        raise XaibenchError(
            f"folder[nothing={wanted.nothing}]: objects are called so; choose another name for "
            "images without any."
        )
    labels = _label(marked, wanted)
    known = tuple(sorted({label for label in labels.values() if label}, key=natural_order))
    if len(known) < LEAST_CLASSES:
        _refuse_single(place, known, labels, marked)
    chosen = choose_classes("folder", known, wanted.classes)
    used = [each for each in marked if labels[each.id] in chosen]
    check_sizes(used)
    names = _names(used)
    meant = {each.id: choose_things(each.things, labels[each.id], names) for each in used}
    empty = {each.id for each in used if labels[each.id] == wanted.nothing and not each.things}
    samples = tuple(
        Sample(
            each.id,
            each.image,
            chosen.index(labels[each.id]),
            (MaskLayer(each.source),) if meant[each.id] or each.id in empty else (),
            part=each.part,
        )
        for each in used
    )
    notes = (*tell_alike(chosen), *_tell_left_out(marked, labels, chosen), *tell_bare(marked))
    parts = Counter(sample.part for sample in samples)
    return Dataset(
        chosen,
        samples,
        partial(read_marked, meant),
        (*notes, *tell_parts("the export names", parts)),
    )


def read_marked(things: Mapping[str, Sequence[Thing]], sample: Sample) -> Picture:
    """Return an image and its mask: pixels of its things, and those of mask files beside it.

    Args:
        things: by sample, those that count as evidence of its class.
        sample: whose layers may be files of outlines, which hold no pixels.
    """
    image = read_image(sample.path)
    if not sample.annotated:
        return Picture(image, None)
    mine = things.get(sample.id, ())
    if mine:
        check_upright(sample.path, "outlines")
    return Picture(image, draw_marked(mine, sample, (image.shape[0], image.shape[1])))


def draw_marked(things: Iterable[Thing], sample: Sample, shape: tuple[int, int]) -> Mask:
    """Return the mask ``(H, W)`` of some things of an image, and of mask files beside it."""
    layers = tuple(each for each in sample.masks if is_image(each.path.name))
    mask = merge_annotations(replace(sample, masks=layers), shape)
    for thing in sorted(things, key=lambda each: each.counted):
        filled = thing.fill(shape)
        mask[filled] = np.maximum(mask[filled], 1) if thing.counted else IGNORED
    return mask


def choose_things(things: Iterable[Thing], label: str, names: frozenset[str]) -> tuple[Thing, ...]:
    """Return the things of an image's own class; all where none in the data is called like it."""
    called = label in names
    return tuple(each for each in things if not called or each.name == label)


def _names(marked: Iterable[Marked]) -> frozenset[str]:
    return frozenset(thing.name for each in marked for thing in each.things)


def _label(marked: Sequence[Marked], wanted: Wanted) -> dict[str, str]:
    labels = {}
    for each in marked:
        areas: dict[str, float] = {}
        for thing in each.things:
            if thing.counted and (not wanted.classes or thing.name in wanted.classes):
                areas[thing.name] = areas.get(thing.name, 0.0) + thing.area
        picked = name_picture(areas, wanted.objects)
        labels[each.id] = (
            each.label or picked or ("" if each.things or each.bare else wanted.nothing)
        )
    return labels


def _refuse_single(
    place: Path, known: Sequence[str], labels: Mapping[str, str], marked: Iterable[Marked]
) -> None:
    bare = sum(not label for label in labels.values())
    things = [thing for each in marked for thing in each.things]
    if things and not any(thing.counted for thing in things):
        hint = "; all objects are crowds, which name no image: export single objects"
    elif bare and known:
        hint = f"; {bare} images have no objects: nothing=healthy makes them a class"
    else:
        hint = "; put images without such objects beside them"
    named = f"only one class ({known[0]})" if known else "no image has an object that names it"
    raise XaibenchError(f"{place}: {named}; a classifier needs at least two{hint}.")


def check_sizes(used: Sequence[Marked]) -> None:
    """Compare the sizes that an export tells with those of the files, of some where many are."""
    step = -(-len(used) // _MOST_CHECKED) or 1
    for each in used[::step]:
        found = tuple(read_header(each.image)[:2]) if each.size else None
        if each.size and found != each.size:
            told, there = (f"{width}x{height}" for width, height in (each.size, found or (0, 0)))
            raise XaibenchError(
                f"{each.source}: outlines of '{each.id}' were drawn on an image of {told}, but "
                f"{each.image.name} is {there}; export them again for images of that size."
            )


def tell_bare(marked: Sequence[Marked]) -> list[str]:
    """Return a sentence on objects that cover nothing, if there are any."""
    found = [each for each in marked if each.bare]
    if not found:
        return []
    count, first = sum(each.bare for each in found), found[0].id
    return [
        f"{count} objects of {len(found)} images cover nothing, such as those of {first}: points, "
        "lines, or what has no area or lies outside the image; they don't count (draw them as "
        "polygons where an area is meant)."
    ]


def _tell_left_out(
    marked: Sequence[Marked], labels: Mapping[str, str], chosen: Sequence[str]
) -> list[str]:
    bare = [each.id for each in marked if not labels[each.id]]
    said = []
    if bare:
        said.append(
            f"{len(bare)} images have no object that says what they stand for, such as {bare[0]}; "
            "they are left out (nothing=NAME makes a class of those without objects)."
        )
    other = Counter(label for label in labels.values() if label and label not in chosen)
    if other:
        said.append(f"{sum(other.values())} images of classes that weren't chosen are left out.")
    return said
