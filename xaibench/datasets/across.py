"""Two datasets of the same classes: one to train on, another to test on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from xaibench.core.data import Dataset, Picture, Sample, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind, dataset
from xaibench.core.roots import open_dataset

Read = Callable[[Sample], Picture]


@dataset()
def across(
    root: Path, *, train: str = "", test: str = "", classes: tuple[str, ...] = ()
) -> Dataset:
    """Read two datasets; the second's images are for testing alone.

    Their ids begin with the name of their dataset, as in ``bus_bra:...``, and so do their groups.
    ``xaibench run --test-dataset`` writes this.

    Args:
        root: folder that holds all data.
        train: the dataset to train and validate on.
        test: the dataset to test on.
        classes: pairs of a training class and its name in the test set, as
            benign=adenoma+malignant=cancer; by default both have the same names.

    Raises:
        XaibenchError: one of them can't be read, or their classes don't fit.
    """
    if not train or not test:
        raise XaibenchError("across: name two datasets, as across[train=busi,test=bus_bra].")
    first, second = (open_dataset(bind("dataset", spec), root) for spec in (train, test))
    mine = _match(train, test, first.classes, second.classes, classes)
    name = bind("dataset", test).plugin.name
    moved, originals = [], {}
    if first.several_labels != second.several_labels:
        raise XaibenchError(
            f"an image of {train if first.several_labels else test} may show several classes, and "
            f"one of the other dataset has one label; read both alike (objects=all)."
        )
    places = [
        [at for at, other in enumerate(second.classes) if mine.get(other) == name]
        for name in first.classes
    ]
    if first.several_labels and any(len(found) > 1 for found in places):
        raise XaibenchError(
            "--test-classes: where images may show several classes, pair each with one of the test "
            "set's."
        )
    for sample in second.samples:
        label = mine.get(second.classes[sample.label])
        if first.several_labels:
            label = first.classes[0]
        if label is None:
            continue
        new = replace(
            sample,
            id=f"{name}:{sample.id}",
            label=first.classes.index(label),
            group=f"{name}:{sample.group}" if sample.group else "",
            part="test",
            class_labels=tuple(sample.class_labels[at] for (at,) in places if sample.class_labels),
        )
        moved.append(new)
        originals[new.id] = sample
    if first.channels != second.channels:
        raise XaibenchError(
            f"the images of {train} have {first.channels} channels, those of {test} "
            f"{second.channels}; read both alike."
        )
    read: Read = read_files
    if first.read is not read_files or second.read is not read_files:
        read = partial(_read, originals, first.read, second.read)
    left_out = len(second.samples) - len(moved)
    said = f"trained on {train}, tested on the {len(moved)} images of {test}."
    notes = [
        f"{note_of}: {note}"
        for note_of, found in ((train, first), (test, second))
        for note in found.notes
    ]
    if left_out:
        notes.append(f"{left_out} images of {test} are of other classes, and left out.")
    return Dataset(
        first.classes,
        (*first.samples, *moved),
        read,
        (said, *notes),
        audited=False,
        apart=frozenset(originals),
        channels=first.channels,
    )


def _match(
    train: str, test: str, known: tuple[str, ...], others: tuple[str, ...], pairs: tuple[str, ...]
) -> Mapping[str, str]:
    """Return the training class of each test class that counts."""
    halves = [pair.partition("=") for pair in pairs]
    told = {other: name for name, equals, other in halves if equals}
    if len(told) < len(pairs):
        raise XaibenchError(
            f"--test-classes {','.join(pairs)}: write pairs, each test class once, as "
            f"{known[0]}={others[0]}."
        )
    found = told or {name: name for name in known}
    strange = [name for name in found if name not in others]
    strange += [name for name in found.values() if name not in known]
    if strange:
        raise XaibenchError(
            f"the classes of {train} ({', '.join(known)}) don't fit those of {test} "
            f"({', '.join(others)}): there is no '{strange[0]}'; pair them, as --test-classes "
            f"{known[0]}={others[0]}."
        )
    extra = [name for name in others if name not in found]
    lacking = [name for name in known if name not in found.values()]
    if lacking or (extra and not told):
        raise XaibenchError(
            f"the classes of {train} ({', '.join(known)}) aren't those of {test} "
            f"({', '.join(others)}); choose the same by classes=, or pair them with --test-classes "
            f"{known[0]}={others[0]}."
        )
    return found


def _read(originals: Mapping[str, Sample], first: Read, second: Read, sample: Sample) -> Picture:
    original = originals.get(sample.id)
    return first(sample) if original is None else second(original)
