"""Seeded, stratified, grouped and disjoint splits; and which masks may be seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.seeds import seed_of

PARTS = ("train", "validation", "test")
_TENTHS = 10
_FEWEST_FOLDS = 2


@dataclass(frozen=True)
class Split:
    """Three disjoint parts; no group stands in two of them. ``seen`` names the masks to train on.

    ``seen`` holds ids of training and validation samples whose masks the budget grants.
    """

    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]
    seen: frozenset[str]

    def seen_in(self, part: Sequence[Sample]) -> list[Sample]:
        """Return the samples of a part whose masks may be seen."""
        return [sample for sample in part if sample.id in self.seen]


def count_folds(name: str) -> int:
    """Return how many folds ``holdout`` (1) or ``kfold:K`` (K) has.

    Raises:
        XaibenchError: the name is neither, or K is below 2.
    """
    if name == "holdout":
        return 1
    kind, _, folds = name.partition(":")
    if kind == "kfold" and folds.isdigit() and int(folds) >= _FEWEST_FOLDS:
        return int(folds)
    raise XaibenchError(f"--split {name}: write 'holdout' or 'kfold:K' with K of 2 or more.")


def make_split(
    samples: Sequence[Sample], name: str, fold: int, *, mask_fraction: float, seed: int = 0
) -> Split:
    """Divide samples 80/10/10 (``holdout``), or into test fold, validation tenth and the rest.

    Args:
        samples: all samples of the run.
        name: ``holdout`` or ``kfold:K``.
        fold: which fold is tested, from 0.
        mask_fraction: share of each class's training and validation masks that may be seen.
        seed: of the division; training seeds don't change it.

    Raises:
        XaibenchError: a class is too small to stand in every part.
    """
    folds = count_folds(name)
    if folds == 1:
        parts = _divide(samples, _TENTHS, seed)
        test, validation = parts[0], parts[1]
        train = [sample for part in parts[2:] for sample in part]
    else:
        parts = _divide(samples, folds, seed)
        test = parts[fold]
        rest = [s for i, part in enumerate(parts) if i != fold for s in part]
        # A tenth of the rest, or of a small class the smallest part that it can spare.
        validation, *others = _divide(rest, min(_TENTHS, max(_fewest(rest), 2)), seed)
        train = [sample for part in others for sample in part]
    seen = see_masks(train, mask_fraction, seed) | see_masks(validation, mask_fraction, seed)
    return Split(_ordered(samples, train), _ordered(samples, validation), _ordered(samples, test),
                 seen)  # fmt: skip


def check_split(split: Split) -> None:
    """Make sure that no sample and no group stands in two parts.

    Raises:
        XaibenchError: one does; it is named with its parts.
    """
    home: dict[tuple[str, str], str] = {}
    for part in PARTS:
        for sample in getattr(split, part):
            for kind, name in (("sample", sample.id), ("group", sample.group)):
                there = home.setdefault((kind, name), part) if name else part
                if there != part:
                    raise XaibenchError(
                        f"the split leaks: {kind} '{name}' stands in {there} and in {part}."
                    )


def see_masks(samples: Sequence[Sample], fraction: float, seed: int) -> frozenset[str]:
    """Pick the share of each class's annotated samples whose masks may be seen.

    A larger fraction contains every smaller one, so that a sweep over fractions only adds masks.
    """
    seen: set[str] = set()
    for label in {sample.label for sample in samples}:
        annotated = [s.id for s in samples if s.label == label and s.annotated]
        annotated.sort(key=lambda name: seed_of(seed, "mask", name))
        seen.update(annotated[: round(fraction * len(annotated))])
    return frozenset(seen)


def _divide(samples: Sequence[Sample], parts: int, seed: int) -> list[list[Sample]]:
    if (fewest := _fewest(samples)) < parts:
        raise XaibenchError(
            f"the smallest class has {fewest} images (or groups of them, which never part), but "
            f"the split needs {parts} of each class; take more images or fewer folds."
        )
    labels = [sample.label for sample in samples]
    groups = [_group(sample) for sample in samples]
    splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    divided = [
        [samples[i] for i in chosen]
        for _, chosen in splitter.split(np.zeros(len(samples)), labels, groups)
    ]
    if not all(divided):
        raise XaibenchError(
            f"the groups are too large to fill {parts} parts; take more images or fewer folds."
        )
    return divided


def _fewest(samples: Sequence[Sample]) -> int:
    """Return the number of independent groups in the smallest class."""
    groups: dict[int, set[str]] = {}
    for sample in samples:
        groups.setdefault(sample.label, set()).add(_group(sample))
    return min(len(found) for found in groups.values())


def _group(sample: Sample) -> str:
    return sample.group or f"\0{sample.id}"


def _ordered(all_samples: Sequence[Sample], chosen: Sequence[Sample]) -> tuple[Sample, ...]:
    wanted = {sample.id for sample in chosen}
    return tuple(sample for sample in all_samples if sample.id in wanted)
