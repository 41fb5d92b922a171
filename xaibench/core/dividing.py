"""Dividing groups of samples into parts: stratified, seeded, and the same with any library.

A greedy assignment, as it is common for stratified groups: the groups with the most uneven
classes come first, and each goes to the part that leaves the classes most even. Numbers are added
in a fixed order, so that sums are the same to the last bit everywhere; the order of groups comes
from numpy's ``RandomState``, whose stream is frozen. The outcome is that of scikit-learn 1.8 and
1.9, which made the published splits; a golden file in the tests holds it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_CLOSE = 1e-5, 1e-8  # relative, absolute
_LANES, _BLOCK = 8, 128


def divide(
    labels: Sequence[int], groups: Sequence[str], parts: int, seed: int
) -> list[NDArray[np.int64]]:
    """Return the places of the samples of each part, ascending; no group is in two parts.

    Args:
        labels: the class of each sample.
        groups: the group of each sample; a sample without a group has one of its own.
        parts: how many; each class should have at least as many groups.
        seed: shuffles the groups; 0 or more, below 2**32.
    """
    _, classes = np.unique(np.asarray(labels), return_inverse=True)
    _, members = np.unique(np.asarray(groups), return_inverse=True)
    names = int(members.max()) + 1
    counts = np.zeros((names, int(classes.max()) + 1))
    np.add.at(counts, (members, classes), 1)
    order = np.arange(names)
    np.random.RandomState(seed).shuffle(order)
    order = order[np.argsort(-_spread(counts[order].T, _in_eights), kind="stable")]
    home = np.zeros(names, np.int64)
    filled, whole = np.zeros((parts, counts.shape[1])), counts.sum(axis=0)
    sizes, images = [0.0] * parts, counts.sum(axis=1).tolist()
    # Of each class by the part that a group would go to. The classes that it lacks stay as uneven
    # as they are: only those from its first to its last are counted anew, of maybe thousands.
    uneven = np.zeros((counts.shape[1], parts))
    firsts = (counts > 0).argmax(axis=1).tolist()
    ends = (counts.shape[1] - (counts[:, ::-1] > 0).argmax(axis=1)).tolist()
    for group in order.tolist():
        own = slice(firsts[group], ends[group])
        uneven[own] = _uneven_after(filled[:, own], counts[group, own], whole[own])
        part = _best_part((_in_eights(uneven) / len(whole)).tolist(), sizes)
        home[group] = part
        sizes[part] += images[group]
        filled[part, own] += counts[group, own]
        uneven[own] = uneven[own, part, None]
    return [np.flatnonzero(home[members] == part) for part in range(parts)]


def _uneven_after(filled: Floats, group: Floats, whole: Floats) -> Floats:
    """Return how uneven a group's classes are once it is in a part, ``(class, part)``."""
    parts = len(filled)
    tried = filled[:, None].repeat(parts, axis=1)  # (part, trial, class)
    tried.reshape(parts * parts, -1)[:: parts + 1] += group  # the diagonal: a slice costs least
    return _spread(tried / whole, _one_by_one).T


def _best_part(uneven: Sequence[float], sizes: Sequence[float]) -> int:
    """Return the part that a group makes the classes most even in; of equal ones the smallest.

    Args:
        uneven: what the classes are then, of each part; a list, as single numbers of an array cost
            five times as much.
        sizes: how many images the parts hold.
    """
    best = 0
    for part in range(1, len(sizes)):
        apart = uneven[part] - uneven[best]
        equal = abs(apart) <= _CLOSE[1] + _CLOSE[0] * abs(uneven[best])
        if apart < 0 or (equal and sizes[part] < sizes[best]):
            best = part
    return best


def _spread(values: Floats, add: Callable[[Floats], Floats]) -> Floats:
    """Return the standard deviation along the first axis."""
    mean = add(values) / len(values)
    return np.asarray(np.sqrt(add((values - mean) ** 2) / len(values)))


def _one_by_one(values: Floats) -> Floats:
    """Add along the first axis, from the first to the last."""
    return np.asarray(np.add.accumulate(values)[-1])


def _in_eights(values: Floats) -> Floats:
    """Add along the first axis in eight running sums, and long ones in halves (pairwise sums)."""
    if len(values) < _LANES:
        return _one_by_one(values)
    if len(values) > _BLOCK:
        half = len(values) // 2
        half -= half % _LANES
        return _in_eights(values[:half]) + _in_eights(values[half:])
    whole = len(values) - len(values) % _LANES
    lanes = _one_by_one(values[:whole].reshape(-1, _LANES, *values.shape[1:]))
    while len(lanes) > 1:
        lanes = lanes[::2] + lanes[1::2]
    return _one_by_one(np.concatenate([lanes, values[whole:]]))
