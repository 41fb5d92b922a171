"""The leak check of every plan: nothing may stand on two sides of a split."""

from collections.abc import Iterator, Mapping, Sequence

from xaibench.core.data import Sample
from xaibench.core.reading.copies import find_copies
from xaibench.core.splits import PARTS, Split, check_split, parted_groups


def find_leaks(
    samples: Sequence[Sample], splits: Mapping[int, Split], *, published: bool = False
) -> list[str]:
    """Return a warning for each fold with the same file, under two names, in two parts.

    Such a split isn't refused, for the files may be all that there is: who reads the warning in
    ``run.json`` knows what the numbers are worth. Only whole files are compared, and only where
    each sample has its own; `xaibench audit` sees near-duplicates, too. Published parts that share
    a patient are a warning likewise: they aren't ours to change.

    Raises:
        XaibenchError: a sample stands in two parts of a split, or a group where we parted it.
    """
    owners = {sample.path: sample for sample in samples}
    copies = find_copies(owners) if len(owners) == len(samples) else []
    warnings = []
    for fold, split in splits.items():
        check_split(split, published=published)
        shared = parted_groups(split)
        if shared:
            name, parts = next(iter(shared.items()))
            warnings.append(
                f"leak: the published parts share {len(shared)} groups (patients, or images that "
                f"show the same), for example '{name}' in {' and '.join(parts)}; --split holdout "
                "or kfold:K keeps each on one side."
            )
        parted = list(_parted([[owners[path].id for path in group] for group in copies], split))
        if parted:
            (one, here), (other, there) = parted[0][:2]
            warnings.append(
                f"leak: fold {fold}: the same image file stands in two parts under two names, "
                f"{len(parted)} times, for example {one} ({here}) and {other} ({there}); run "
                "`xaibench audit` and give its groups.csv with --groups."
            )
    return warnings


def _parted(copies: Sequence[Sequence[str]], split: Split) -> Iterator[list[tuple[str, str]]]:
    """Yield of each file in several parts one sample and part for each part."""
    home = {sample.id: part for part in PARTS for sample in getattr(split, part)}
    for names in copies:
        parts = {home[name]: name for name in reversed(names) if name in home}
        if len(parts) > 1:
            yield sorted(((name, part) for part, name in parts.items()), key=lambda each: each[0])
