"""Scores whose true mean is known, a column for each repetition of an experiment."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import binom

DEFAULT = "8 images"


def one_by_default(*cases):
    """Mark all cases of a simulation as slow but the smallest, `DEFAULT`."""
    return [
        case if case.id == DEFAULT else case._replace(marks=(*case.marks, pytest.mark.slow))
        for case in cases
    ]


class Trials(NamedTuple):
    values: np.ndarray  # (N, repetitions)
    true: float
    groups: np.ndarray
    folds: np.ndarray
    seeds: np.ndarray

    @property
    def labels(self):
        return self.groups, self.folds, self.seeds


def independent(draw, true, *, images=130, repetitions=1000):
    random = np.random.default_rng(images)
    same = np.zeros(images, int)
    return Trials(draw(random, (images, repetitions)), true, np.arange(images), same, same)


def clustered(*, groups=60, within=0.8, repetitions=1000):
    """Groups of 1 to 6 images; ``within`` is the share of variance that a group has in common."""
    random = np.random.default_rng(groups)
    of = np.repeat(np.arange(groups), random.integers(1, 7, groups))
    own = random.normal(size=(len(of), repetitions))
    values = np.sqrt(within) * random.normal(size=(groups, repetitions))[of]
    same = np.zeros_like(of)
    return Trials(values + np.sqrt(1 - within) * own, 0.0, of, same, same)


def uneven(within, *, repetitions=1000):
    """A test set of BUSI: 30 images in 21 groups, the largest of 7."""
    of = np.repeat(np.arange(21), [7, 3, 2, *[1] * 18])
    random = np.random.default_rng(21)
    own = random.normal(size=(len(of), repetitions))
    values = np.sqrt(within) * random.normal(size=(21, repetitions))[of]
    same = np.zeros_like(of)
    return Trials(values + np.sqrt(1 - within) * own, 0.0, of, same, same)


def seeded(effect, *, images=130, seeds=3, own=0.5, repetitions=1000):
    """Images of variance 1, crossed with seeds that move all scores by ``effect`` (sd)."""
    random = np.random.default_rng(seeds)
    values = random.normal(size=(images, 1, repetitions))
    values = values + effect * random.normal(size=(1, seeds, repetitions))
    values = values + own * random.normal(size=(images, seeds, repetitions))
    of, seed = np.indices((images, seeds)).reshape(2, -1)
    return Trials(values.reshape(len(of), repetitions), 0.0, of, np.zeros_like(of), seed)


def retrained(effect, *, folds=5, seeds=3, images=25, repetitions=1000):
    """Each fold's trainings move the scores of its images by ``effect`` (sd), and folds by 1."""
    random = np.random.default_rng(folds)
    values = (
        random.normal(size=(folds, images, 1, repetitions)) + np.arange(folds)[:, None, None, None]
    )
    values = values + effect * random.normal(size=(folds, 1, seeds, repetitions))
    values = values + 0.5 * random.normal(size=(folds, images, seeds, repetitions))
    fold, image, seed = np.indices((folds, images, seeds)).reshape(3, -1)
    return Trials(values.reshape(len(fold), -1), (folds - 1) / 2, image, fold, seed)


def folded(level=1.0, *, repetitions=1000):
    """Five folds of different level, in groups, with a third of the scores undefined."""
    trials = clustered(repetitions=repetitions)
    folds = trials.groups % 5
    values = trials.values + np.linspace(-level, level, 5)[folds, None]
    lost = np.random.default_rng(5).random(values.shape) < np.where(folds % 2, 0.5, 0.2)[:, None]
    weights = np.bincount(folds) * np.where(np.arange(5) % 2, 0.5, 0.8)
    true = float(np.linspace(-level, level, 5) @ weights / weights.sum())
    return Trials(np.where(lost, np.nan, values), true, trials.groups, folds, trials.seeds)


def normal(random, shape):
    return random.normal(size=shape)


def skewed(random, shape):
    """Like drops in confidence: mostly zero, sometimes large; mean 0.4."""
    return np.where(random.random(shape) < 0.6, 0, random.exponential(size=shape))


def hits(rate):
    return lambda random, shape: (random.random(shape) < rate).astype(float)


def at_least(count, trials, share):
    """Whether a count is what chance gives at this share or more, but for 1 in 10,000."""
    return count >= binom.ppf(1e-4, trials, share)


def at_most(count, trials, share):
    return count <= binom.ppf(1 - 1e-4, trials, share)
