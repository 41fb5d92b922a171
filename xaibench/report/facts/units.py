"""Images that may show several classes, as a report judges them: an image and one class at a time.

What statistics take for a sample is then a pair of both, and the image, or its patient, is its
group: intervals and tests know that maps of one image aren't independent.
"""

from collections.abc import Sequence

import pandas as pd

from xaibench.core.data import Dataset, Picture, Sample
from xaibench.results.maps import map_key

RIGHT = "right"
"""The column that tells whether a model's answer on a class is right; only units have it."""
SHOWN = "shown"
"""The column that tells whether an image shows a class: 1, 0, or -1 where nobody can tell."""
TRUTH = {1: "shown", 0: "not shown", -1: "uncertain"}
"""What it says, in words."""
_NOT_FOUND = -1


def unit_name(sample: str, target: str) -> str:
    """Return what a report calls an image and one of its classes."""
    return f"{sample} [{target}]"


def units_of_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores with a unit for each sample."""
    pairs = zip(scores["sample"].astype(str), scores["target"].astype(str), strict=True)
    names = [unit_name(*pair) for pair in pairs]
    return scores.assign(sample=pd.Categorical(names, sorted(set(names))))


def units_of_predictions(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return a row for each image and class.

    Args:
        predictions: a row for each image, with label, prediction and confidence of each class.
        classes: their names.

    Returns:
        ``label`` is the class, whatever it says of the image; ``prediction`` is the class where the
        model finds it and -1 where not, `RIGHT` tells whether that is right, NaN where nobody
        knows, and `SHOWN` what is known. ``confidence_0`` is of the class; ``group`` is the
        image's, or the image.
    """
    keys = [name for name in ("dataset", "split", "fold", "model", "seed") if name in predictions]
    frames = []
    for index, name in enumerate(classes):
        known = pd.to_numeric(predictions[f"label_{index}"])
        found = pd.to_numeric(predictions[f"prediction_{index}"])
        told = found.notna() & (known >= 0)
        alone = predictions["group"].fillna("").astype(str)
        frames.append(
            predictions[keys].assign(
                sample=[unit_name(sample, name) for sample in predictions["sample"]],
                group=alone.where(alone != "", "image " + predictions["sample"].astype(str)),
                label=index,
                prediction=found.map({1: index, 0: _NOT_FOUND}),
                confidence_0=pd.to_numeric(predictions[f"confidence_{index}"]),
                right=(found == known).astype(float).where(told),
                shown=known,
            )
        )
    return pd.concat(frames, ignore_index=True)


def units_of_dataset(dataset: Dataset) -> Dataset:
    """Return a sample for each image and class; its picture has the class's mask alone."""
    originals: dict[str, Sample] = {}
    samples = []
    for sample in dataset.samples:
        for index, name in enumerate(dataset.classes):
            mine = sample.of_class(index)
            unit = Sample(unit_name(sample.id, name), mine.path, index, mine.masks, mine.boxes)
            originals[unit.id] = sample
            samples.append(unit)

    def read(unit: Sample) -> Picture:
        image, _, masks = dataset.read(originals[unit.id])
        return Picture(image, masks[unit.label])

    return Dataset(dataset.classes, tuple(samples), read)


def keys_of_maps(sample: str, kinds: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Return the names that a map of a sample, or of a unit, may have in a cell's file.

    Args:
        sample: its name, or that of a unit.
        kinds: of target, where an image has one label.
        classes: of a run whose images may show several; empty for others.
    """
    image, target = parts_of_unit(sample, classes)
    return [map_key(target, image)] if target else [map_key(kind, sample) for kind in kinds]


def parts_of_unit(unit: str, classes: Sequence[str]) -> tuple[str, str]:
    """Return the image and the class of a unit; what is none is an image without a class."""
    for name in sorted(classes, key=len, reverse=True):
        end = unit_name("", name)
        if unit.endswith(end):
            return unit.removesuffix(end), name
    return unit, ""
