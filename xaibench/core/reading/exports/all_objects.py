"""Images with all that their objects are called: a label and a mask for each class."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from xaibench.core.data import (
    ClassLabel,
    Dataset,
    MaskLayer,
    Picture,
    Sample,
)
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import natural_order
from xaibench.core.reading.choice import choose_classes, tell_alike
from xaibench.core.reading.exports.marked import (
    Marked,
    Wanted,
    check_sizes,
    draw_marked,
    read_marked,
    tell_bare,
)
from xaibench.core.reading.exports.things import Thing
from xaibench.core.reading.folders.remarks import tell_parts
from xaibench.core.several_labels import several_labels

Things = Mapping[str, Sequence[Sequence[Thing]]]
"""By sample: of each class the objects."""


def all_labels(place: Path, marked: Sequence[Marked], wanted: Wanted) -> Dataset:
    """Return all images of an export, each labeled by all of its objects.

    A class of which an image has crowds alone is uncertain there.

    Raises:
        XaibenchError: fewer than two classes are there, a class for images without objects is asked
            for, or an image has another size than the one that its objects were drawn on.
    """
    if wanted.nothing:
        raise XaibenchError(
            f"folder[objects=all,nothing={wanted.nothing}]: with all objects an image without any "
            "shows no class, and stays; leave nothing= out."
        )
    known = sorted({thing.name for each in marked for thing in each.things}, key=natural_order)
    if len(known) < 2:  # noqa: PLR2004
        raise XaibenchError(
            f"{place}: objects of {len(known)} class ({', '.join(known)}); objects=all needs two "
            "classes or more."
        )
    chosen = choose_classes("folder", known, wanted.classes)
    check_sizes(marked)
    things: Things = {
        each.id: [[t for t in each.things if t.name == name] for name in chosen] for each in marked
    }
    samples = tuple(
        several_labels(
            each.id,
            each.image,
            tuple(_finding(each.source, mine) for mine in things[each.id]),
            part=each.part,
        )
        for each in marked
    )
    parts = Counter(sample.part for sample in samples)
    notes = (*tell_alike(chosen), *tell_bare(marked), *tell_parts("the export names", parts))
    return Dataset(chosen, samples, partial(_read, things), notes)


def _finding(source: Path, things: Sequence[Thing]) -> ClassLabel:
    if not things:
        return ClassLabel(0, ())
    label = 1 if any(thing.counted for thing in things) else -1
    return ClassLabel(label, (MaskLayer(source),))


def _read(things: Things, sample: Sample) -> Picture:
    if not sample.class_labels:  # of one class alone
        return read_marked({sample.id: things[sample.id][sample.label]}, sample)
    together = [thing for mine in things[sample.id] for thing in mine]
    image, mask, _ = read_marked({sample.id: together}, sample)
    assert mask is not None  # an empty one says that nothing is there
    shape = (image.shape[0], image.shape[1])
    each = (
        draw_marked(mine, sample.of_class(index), shape)
        for index, mine in enumerate(things[sample.id])
    )
    return Picture(image, mask, tuple(each))
