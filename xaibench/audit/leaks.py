"""The leak check of every plan: nothing may be on two sides of a split."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from shlex import quote

from xaibench.core.data import Dataset, Sample
from xaibench.core.reading.copies import find_copies
from xaibench.core.reading.duplicates import Pair
from xaibench.core.splits import PARTS, Split, check_split, divided_groups


def find_leaks(
    samples: Sequence[Sample],
    splits: Mapping[int, Split],
    near: Sequence[Pair] = (),
    *,
    drawn: bool = True,
) -> list[str]:
    """Return a warning for each fold with images in two parts that show the same.

    Such a split isn't refused, for the files may be all that there is: who reads the warning in
    ``run.json`` knows what the numbers are worth. Whole files are compared here, where each sample
    has its own. Published or stored parts (not ``drawn``) that share a patient are a warning
    likewise: they aren't ours to change.

    Args:
        samples: all samples of a run.
        splits: the parts of each fold.
        near: which samples show the same, as an audit has found (`audit.known`).
        drawn: whether chance has made the parts.

    Raises:
        XaibenchError: a sample is in two parts of a split, or a group where we divided it.
    """
    owners = {sample.path: sample for sample in samples}
    copies = find_copies(owners) if len(owners) == len(samples) else []
    named = [[owners[path].id for path in group] for group in copies]
    same = {frozenset(pair) for group in named for pair in combinations(group, 2)}
    alike = [[samples[first].id, samples[second].id] for first, second, _ in near]
    kinds = {
        "the same image file is in two parts under two names": named,
        "images that show the same are in two parts": [
            pair for pair in alike if frozenset(pair) not in same
        ],
    }
    warnings = []
    for fold, split in splits.items():
        check_split(split, published=not drawn)
        shared = divided_groups(split)
        if shared:
            name, parts = next(iter(shared.items()))
            warnings.append(
                f"leak: fold {fold}: the parts as they were given share {len(shared)} groups "
                "(patients, or images that show the same), for example "
                f"'{name}' in {' and '.join(parts)}; --split holdout or kfold:K keeps each on one "
                "side."
            )
        for kind, groups in kinds.items():
            parted = list(_parted(groups, split))
            if parted:
                (one, here), (other, there) = parted[0][:2]
                warnings.append(
                    f"leak: fold {fold}: {kind}, {len(parted)} times, for example {one} ({here}) "
                    f"and {other} ({there}); run `xaibench audit` and give its groups.csv with "
                    "--groups."
                )
    return warnings


def say_unaudited(dataset: Dataset, spec: str, near: Sequence[Pair] | None) -> list[str]:
    """Return a note where nobody has looked for near-duplicates in a dataset's files.

    Args:
        dataset: what a run takes, which may be a part of what was audited.
        spec: by which the command line names it.
        near: what audits have found in it; None where none has looked.
    """
    if dataset.audited or near is not None:
        return []
    if not any(sample.path.exists() for sample in dataset.samples):
        return []  # drawn, not read
    return [
        "never audited: near-duplicates may be in two parts; look for them with `xaibench audit "
        f"--dataset {quote(spec)}`"
    ]


def _parted(copies: Sequence[Sequence[str]], split: Split) -> Iterator[list[tuple[str, str]]]:
    """Yield of each file in several parts one sample and part for each part."""
    home = {sample.id: part for part in PARTS for sample in getattr(split, part)}
    for names in copies:
        parts = {home[name]: name for name in reversed(names) if name in home}
        if len(parts) > 1:
            yield sorted(((name, part) for part, name in parts.items()), key=lambda each: each[0])
