"""Seeded, stratified, grouped and disjoint splits; and which masks may be seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from xaibench.core.data import Sample
from xaibench.core.dividing import divide
from xaibench.core.errors import XaibenchError
from xaibench.core.seeds import seed_of

PARTS = ("train", "validation", "test")
OFFICIAL = "official"
_TENTHS = 10
_FEWEST_FOLDS = 2
Parts = tuple[Sequence[Sample], Sequence[Sample], Sequence[Sample]]
"""Training, validation and test samples."""


@dataclass(frozen=True)
class Split:
    """Three disjoint parts; no group is in two of them. ``seen`` names the masks to train on.

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
    """Return how many folds ``holdout`` and ``official`` (1) or ``kfold:K`` (K) have.

    Raises:
        XaibenchError: the name is none of these, or K is below 2.
    """
    if name in ("holdout", OFFICIAL):
        return 1
    kind, _, folds = name.partition(":")
    if kind == "kfold" and folds.isdecimal() and int(folds) >= _FEWEST_FOLDS:
        return int(folds)
    raise XaibenchError(
        f"--split {name}: write 'holdout', 'official', 'kfold:K' with K of 2 or more, or "
        "'file:DIR' with the folder of stored splits."
    )


def make_split(
    samples: Sequence[Sample],
    name: str,
    fold: int,
    *,
    mask_fraction: float,
    train_fraction: float = 1.0,
    seed: int = 0,
    divided: Parts | None = None,
) -> Split:
    """Divide samples 80/10/10 (``holdout``), or into test fold, validation tenth and the rest.

    ``official`` keeps the parts that the dataset was published in; where these lack a validation
    part, a tenth of the training part becomes one.

    Args:
        samples: all samples of the run.
        name: ``holdout``, ``official`` or ``kfold:K``.
        fold: which fold is tested, from 0.
        mask_fraction: share of each class's training and validation masks that may be seen.
        train_fraction: share of each class's training images that is kept; validation and test
            stay as they are.
        seed: of the division; training seeds don't change it.
        divided: parts that are known already, from a stored split.

    Raises:
        XaibenchError: a class is too small to be in every part, or no parts were published.
    """
    train, validation, test = divided or _divide_all(samples, name, fold, seed)
    train = _keep_share(train, train_fraction, seed)
    seen = see_masks(train, mask_fraction, seed) | see_masks(validation, mask_fraction, seed)
    return Split(
        _ordered(samples, train), _ordered(samples, validation), _ordered(samples, test), seen
    )


def _divide_all(samples: Sequence[Sample], name: str, fold: int, seed: int) -> Parts:
    folds = count_folds(name)
    if name == OFFICIAL:
        return _published(samples, seed)
    if folds == 1:
        test, validation, *others = _divide(samples, _TENTHS, seed)
    else:
        parts = _divide(samples, folds, seed)
        test = parts[fold]
        rest = [s for i, part in enumerate(parts) if i != fold for s in part]
        # A tenth of the rest, or of a small class the smallest part that it can spare.
        validation, *others = _divide(rest, min(_TENTHS, max(_fewest(rest), 2)), seed)
    return [sample for part in others for sample in part], validation, test


def _published(samples: Sequence[Sample], seed: int) -> Parts:
    parts = {part: [sample for sample in samples if sample.part == part] for part in PARTS}
    if not parts["train"] or not parts["test"]:
        raise XaibenchError(
            "--split official: this dataset, as it was read, names no training and test images; "
            "use holdout or kfold:K."
        )
    train, validation = parts["train"], parts["validation"]
    if not validation:
        validation, *others = _divide(train, min(_TENTHS, max(_fewest(train), 2)), seed)
        train = [sample for part in others for sample in part]
    return train, validation, parts["test"]


def _keep_share(samples: Sequence[Sample], fraction: float, seed: int) -> list[Sample]:
    """Keep a share of each class, at least one image; a larger share contains every smaller one."""
    kept: list[Sample] = []
    for mine in _by_label(samples):
        mine.sort(key=lambda sample: seed_of(seed, "keep", sample.id))
        kept += mine[: max(round(fraction * len(mine)), 1)]
    return kept


def check_split(split: Split, *, published: bool = False) -> None:
    """Make sure that no sample is in two parts, and no group unless the parts were published.

    Raises:
        XaibenchError: one does; it is named with its parts.
    """
    parted = {f"sample '{name}'": parts for name, parts in _in_two_parts(split, "id").items()}
    if not published:
        parted |= {f"group '{name}'": parts for name, parts in divided_groups(split).items()}
    for what, (here, there, *_) in parted.items():
        raise XaibenchError(f"the split leaks: {what} is in {here} and in {there}.")


def divided_groups(split: Split) -> dict[str, list[str]]:
    """Return the groups that are in more than one part, with these parts."""
    return _in_two_parts(split, "group")


def _in_two_parts(split: Split, attribute: str) -> dict[str, list[str]]:
    homes: dict[str, list[str]] = {}
    for part in PARTS:
        for name in dict.fromkeys(getattr(sample, attribute) for sample in getattr(split, part)):
            homes.setdefault(name, []).append(part)
    return {name: parts for name, parts in homes.items() if name and len(parts) > 1}


def see_masks(samples: Sequence[Sample], fraction: float, seed: int) -> frozenset[str]:
    """Pick the share of each class's annotated samples whose masks may be seen.

    A larger fraction contains every smaller one, so that a sweep over fractions only adds masks.
    """
    seen: set[str] = set()
    for mine in _by_label(samples):
        annotated = [sample.id for sample in mine if sample.annotated]
        annotated.sort(key=lambda name: seed_of(seed, "mask", name))
        seen.update(annotated[: round(fraction * len(annotated))])
    return frozenset(seen)


def _by_label(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Return the samples of each class, by its number; there may be thousands of classes."""
    found: dict[int, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.label, []).append(sample)
    return [found[label] for label in sorted(found)]


def _divide(samples: Sequence[Sample], parts: int, seed: int) -> list[list[Sample]]:
    """Divide samples into parts, those of the most independent groups in front.

    The largest groups go into the first parts. As a validation part that would be
    the worst choice: of BUSI's seven pictures of one lesion it had all, more than half of a class,
    and this lesion alone decided which epoch a training kept.
    """
    several = bool(samples) and bool(samples[0].class_labels)
    if (fewest := _fewest(samples)) < parts:
        raise XaibenchError(
            f"the smallest class has {fewest} images (or groups of them, which stay in one part), "
            f"but the split needs {parts} of each class; take more images or fewer folds (a small "
            "--limit or per_class leaves too few)."
        )
    groups = [_group(sample) for sample in samples]
    labels = _strata(samples, parts) if several else [sample.label for sample in samples]
    divided = [[samples[i] for i in chosen] for chosen in divide(labels, groups, parts, seed)]
    if not all(divided):
        raise XaibenchError(
            f"the groups are too large to fill {parts} parts; take more images or fewer folds."
        )
    return sorted(divided, key=lambda part: -len({_group(sample) for sample in part}))


def _strata(samples: Sequence[Sample], parts: int) -> list[int]:
    """Return what is to be alike in all parts where images may show several classes.

    That is the rarest class that an image shows; those that are too rare to stand in every part,
    and images that show none, are one kind together.
    """
    homes: dict[int, set[str]] = {}
    for sample in samples:
        for k, each in enumerate(sample.class_labels):
            if each.label == 1:
                homes.setdefault(k, set()).add(_group(sample))
    common = {k: len(found) for k, found in homes.items() if len(found) >= parts}
    labels = [
        min((k for k in common if s.class_labels[k].label == 1), key=common.__getitem__, default=-1)
        for s in samples
    ]
    groups: dict[int, set[str]] = {}
    for label, sample in zip(labels, samples, strict=True):
        groups.setdefault(label, set()).add(_group(sample))
    return [label if len(groups[label]) >= parts else -1 for label in labels]


def _fewest(samples: Sequence[Sample]) -> int:
    """Return the number of independent groups in the smallest class.

    Where images may show several classes, or none, it is that of all: no class need be everywhere.
    """
    if samples and samples[0].class_labels:
        return len({_group(sample) for sample in samples})
    groups: dict[int, set[str]] = {}
    for sample in samples:
        groups.setdefault(sample.label, set()).add(_group(sample))
    return min(len(found) for found in groups.values())


def _group(sample: Sample) -> str:
    return sample.group or f"\0{sample.id}"


def _ordered(all_samples: Sequence[Sample], chosen: Sequence[Sample]) -> tuple[Sample, ...]:
    wanted = {sample.id for sample in chosen}
    return tuple(sample for sample in all_samples if sample.id in wanted)
