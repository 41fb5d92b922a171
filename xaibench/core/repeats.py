"""Repeated cross-validation: ``kfold:5x3`` divides the samples three times into five folds."""

import re

from xaibench.core.errors import XaibenchError
from xaibench.core.seeds import seed_of
from xaibench.core.splits import count_folds

_SEEDS = 2**32
_REPEATED = re.compile(r"(kfold:\d+)x(\d+)")


def plain_split(name: str) -> tuple[str, int]:
    """Return a split's name without repetitions, and how many there are.

    Raises:
        XaibenchError: there are none.

    >>> plain_split("kfold:5x3"), plain_split("holdout")
    (('kfold:5', 3), ('holdout', 1))
    """
    if not (found := _REPEATED.fullmatch(name)):
        return name, 1
    plain, repeats = found.groups()
    if int(repeats) < 1:
        raise XaibenchError(f"--split {name}: write '{plain}' or '{plain}xR' with R of 1 or more.")
    return plain, int(repeats)


def count_all_folds(name: str) -> int:
    """Return how many folds a split has in all of its repetitions.

    Raises:
        XaibenchError: there is no such split.

    >>> count_all_folds("kfold:5x3"), count_all_folds("official")
    (15, 1)
    """
    plain, repeats = plain_split(name)
    return count_folds(plain) * repeats


def repetition_of(name: str, fold: int, seed: int) -> tuple[str, int, int]:
    """Return the plain split, fold and seed of the division that a fold belongs to.

    The first repetition is the plain split itself; each of the others has a seed of its own.
    """
    plain, _ = plain_split(name)
    repetition, fold_there = divmod(fold, count_folds(plain))
    if repetition == 0:
        return plain, fold_there, seed
    return plain, fold_there, seed_of(seed, "repetition", repetition) % _SEEDS
