"""From an export to a dataset."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from xaibench.core.data import Dataset, MaskLayer
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.exports.all_objects import all_labels
from xaibench.core.reading.exports.find import Export
from xaibench.core.reading.exports.gallery import ImageNames
from xaibench.core.reading.exports.marked import (
    Marked,
    Wanted,
    check_sizes,
    drop_void,
    make_dataset,
    read_marked,
    tell_bare,
)


def read_exports(
    place: Path, exports: Sequence[Export], images: Path | None, wanted: Wanted
) -> Dataset:
    """Return the dataset that one or several exports of one kind describe.

    Args:
        place: the folder or file that was named, for messages.
        exports: at least one.
        images: the folder of the images; by default that of each export.
        wanted: what options say.

    Raises:
        XaibenchError: they are of several kinds, name an image twice, or can't be read.
    """
    kinds = sorted({export.kind for export in exports})
    if len(kinds) > 1:
        raise XaibenchError(
            f"{place}: annotations of {' and of '.join(kinds)} lie there; name the file of one of "
            "them with path=, or move the others elsewhere."
        )
    marked: dict[str, Marked] = {}
    said: list[str] = []
    gallery = _gallery(images or (place if place.is_dir() else place.parent))
    for export in exports:
        found, notes = export.read(gallery)
        said += notes
        for each in found:
            if known := marked.get(each.id):
                raise XaibenchError(
                    f"{place}: both {known.source.name} and {each.source.name} name the image "
                    f"{each.image}; name one of them with path=."
                )
            marked[each.id] = drop_void(each)
    if gallery.passed:
        said.append(
            f"{len(gallery.passed)} images in folders that are named after annotations aren't "
            f"read, such as {gallery.passed[0]}: the export says what counts."
        )
    make = all_labels if wanted.objects == "all" else make_dataset
    dataset = make(place, list(marked.values()), wanted)
    return replace(dataset, notes=(f"read as {kinds[0]}'s annotations.", *said, *dataset.notes))


def add_objects(dataset: Dataset, place: Path, exports: Sequence[Export]) -> Dataset:
    """Return a dataset of class folders with the objects that files beside its images name.

    Those of an image's own class count, or all where none is called like a class.

    Raises:
        XaibenchError: a file isn't as it should be, or was drawn on an image of another size.
    """
    gallery = ImageNames(place)
    found = [each for export in exports for each in export.read(gallery)[0]]
    marked = {each.id: drop_void(each) for each in found}
    used = [marked[sample.id] for sample in dataset.samples if sample.id in marked]
    check_sizes(used)
    called = frozenset(thing.name for each in used for thing in each.things)
    names = called if called & set(dataset.classes) else frozenset()
    meant, samples = {}, []
    for sample in dataset.samples:
        mine = marked.get(sample.id)
        if mine is None:
            samples.append(sample)
            continue
        meant[sample.id] = tuple(
            each for each in mine.things if not names or each.name == dataset.classes[sample.label]
        )
        layers = (MaskLayer(mine.source),) if meant[sample.id] else ()
        samples.append(replace(sample, masks=(*sample.masks, *layers)))
    notes = (*dataset.notes, *tell_bare(used))
    return replace(dataset, samples=tuple(samples), read=partial(read_marked, meant), notes=notes)


def _gallery(place: Path) -> ImageNames:
    """Return the images below a folder, or where there is none, those beside it."""
    found = ImageNames(place)
    return found if found.files else ImageNames(place.parent)
