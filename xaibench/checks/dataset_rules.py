"""Rules for datasets. Repeated ids and unknown labels no `Dataset` takes in the first place."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xaibench.checks.dataset_trial import DatasetTrial
from xaibench.checks.rule import Broken, Doubtful, Rule, Skipped, rule
from xaibench.core.data import read_files
from xaibench.core.errors import XaibenchError
from xaibench.setup.options import make_options

RULES: list[Rule] = []
_DIMENSIONS = 3
_FEWEST = 2


@rule(RULES, "recipe of run options")
def recommends_known_options(trial: DatasetTrial) -> None:
    """``recipe=`` names options of `xaibench run`, with values that they take."""
    try:
        make_options({}, trial.plugin.traits.recipe)
    except XaibenchError as error:
        raise Broken(f"its recipe is none: {error}") from error


@rule(RULES, "opens", gate=True)
def opens(trial: DatasetTrial) -> None:
    """It lists its samples, if its data is here."""
    assert trial.dataset.samples


@rule(RULES, "two classes or more, each with samples")
def has_classes(trial: DatasetTrial) -> None:
    """A classifier needs two classes."""
    classes = trial.dataset.classes
    if len(classes) < _FEWEST or len(set(classes)) < len(classes):
        raise Broken(f"its classes are {', '.join(classes) or 'none'}; name at least two, once.")
    labels = {sample.label for sample in trial.dataset.samples}
    empty = [name for label, name in enumerate(classes) if label not in labels]
    if empty:
        raise Doubtful(f"no sample is {' or '.join(empty)}; drop the class, or look for its files.")


@rule(RULES, "same samples each time")
def repeats_itself(trial: DatasetTrial) -> None:
    """Splits and stored results hang on them."""
    if trial.open().samples != trial.dataset.samples:
        raise Broken(
            "opened twice it lists other samples, or in another order; sort what the file system "
            "gives, and draw from a generator of a fixed seed."
        )


@rule(RULES, "files are there")
def has_its_files(trial: DatasetTrial) -> None:
    """All of them, though only the first few are read here."""
    if trial.dataset.read is not read_files:
        raise Skipped("its pictures are made, or read in a way of its own")
    for sample in trial.dataset.samples:
        for path in (sample.path, *(layer.path for layer in sample.masks)):
            if not path.is_file():
                raise Broken(f"sample {sample.id!r}: {path} is no file; list only what is there.")


@rule(RULES, "images are (H, W, C) bytes")
def gives_images(trial: DatasetTrial) -> None:
    """What `read` gives for the first few samples and for the last."""
    for name, (image, *_) in trial.pictures.items():
        channels = trial.dataset.channels
        if image.ndim != _DIMENSIONS or image.shape[2] != channels or image.dtype != np.uint8:
            raise Broken(
                f"sample {name!r} has an image {image.shape} of {image.dtype}; return (H, W, "
                f"{channels}) uint8, gray values repeated three times."
            )


@rule(RULES, "masks fit their images")
def gives_masks(trial: DatasetTrial) -> None:
    """``(H, W)`` int8 where there are annotations, None elsewhere."""
    annotated = {sample.id: sample.annotated for sample in trial.dataset.samples}
    for name, (image, mask, _) in trial.pictures.items():
        if (mask is not None) != annotated[name]:
            raise Broken(
                f"sample {name!r} has {'no mask' if mask is None else 'a mask'}, but its sample "
                f"says annotated={annotated[name]}; name masks or boxes in Sample(...)."
            )
        if mask is not None and (mask.shape != image.shape[:2] or mask.dtype != np.int8):
            raise Broken(
                f"sample {name!r} has a mask {mask.shape} of {mask.dtype} for an image "
                f"{image.shape[:2]}; return int8 grades of the image's size."
            )


@rule(RULES, "same picture each time")
def reads_the_same_again(trial: DatasetTrial) -> None:
    """A picture is its sample's alone."""
    for sample in trial.dataset.samples:
        if sample.id in trial.pictures:
            again, before = trial.dataset.read(sample), trial.pictures[sample.id]
            if not (_same(again.image, before.image) and _same(again.mask, before.mask)):
                raise Broken(
                    f"sample {sample.id!r} read twice gives two pictures; draw from a generator "
                    "that is seeded by the sample alone."
                )


def _same(ours: NDArray[Any] | None, theirs: NDArray[Any] | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return np.array_equal(ours, theirs)
