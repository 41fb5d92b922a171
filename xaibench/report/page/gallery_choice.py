"""Which test images the gallery shows, and why each was chosen."""

from collections.abc import Collection, Iterator, Sequence
from itertools import count, zip_longest
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xaibench.core.seeds import seed_of
from xaibench.report.facts.section import Section
from xaibench.report.facts.traits import header, headlines, shown
from xaibench.report.facts.units import parts_of_unit
from xaibench.report.numbers import number
from xaibench.results.records import RunRecord

BEST, WORST, RANDOM, APART = "best", "worst", "random", "apart"
REASONS = {
    BEST: "best",
    WORST: "worst",
    RANDOM: "random",
    APART: "methods differ most",
}
"""Ways to be chosen, and how the page calls them."""

NEVER_DRAWN = -1
_EACH, _MOST = 8, 48  # of a way, and of all; chance fills up
_PAIR = 2
Candidates = list[tuple[int, str]]


class Choice(NamedTuple):
    """A test image: its line in the section's units, and in words why it was chosen, by way.

    ``drawn`` is its place in the random order of all test images, `NEVER_DRAWN` where the image is
    shown for another class.
    """

    unit: int
    reasons: dict[str, str]
    drawn: int


def first_seed(section: Section) -> NDArray[np.intp]:
    """Return the lines of the units that the first training seed explains: each image once."""
    seeds = section.units["seed"].to_numpy()
    return np.flatnonzero(seeds == seeds.min())


def choose_samples(section: Section, run: RunRecord) -> list[Choice]:
    """Return the images worth a look, those to be taken first in front.

    Best and worst are the leading row's by the first headline metric, and chance decides where
    scores are equal; the random ones hang on the protocol alone. Images that were chosen in several
    ways are there once.
    """
    drawn = np.random.default_rng(seed_of("gallery", run.protocol_hash))
    units = drawn.permutation(first_seed(section))
    by_chance = [(int(unit), "drawn at random") for unit in units[:_MOST]]
    lists = [*_judged(section, run, units), by_chance]
    order = (BEST, WORST, APART, RANDOM)
    reasons: dict[int, dict[str, str]] = {}
    for turn in zip_longest(*lists):
        for way, candidate in zip(order, turn, strict=True):
            if candidate is not None:
                unit, words = candidate
                reasons.setdefault(unit, {})[way] = words
    places = {int(unit): place for place, unit in enumerate(units)}
    return [Choice(unit, words, places[unit]) for unit, words in reasons.items()][:_MOST]


def by_image(
    choices: Sequence[Choice], section: Section, run: RunRecord
) -> Iterator[Sequence[Choice]]:
    """Yield what is shown of each image; of one that may show several classes all are shown.

    The classes for which an image was chosen are first.
    """
    if not run.several_labels:
        yield from ([choice] for choice in choices)
        return
    samples = section.units["sample"]
    units = first_seed(section)
    image_of = {int(unit): parts_of_unit(str(samples[unit]), run.classes)[0] for unit in units}
    drawn = {choice.unit: choice for choice in choices}
    beside: dict[str, list[Choice]] = {image_of[choice.unit]: [] for choice in choices}
    for choice in choices:
        beside[image_of[choice.unit]].append(choice)
    for unit, image in image_of.items():
        if image in beside and unit not in drawn:
            beside[image].append(Choice(unit, {}, NEVER_DRAWN))
    yield from beside.values()


def drawn_without_gap(places: Collection[int]) -> int:
    """Return how many images in a row, from the first drawn, are among these.

    Only they are a random sample: later ones are here for their scores, whatever their place.

    >>> drawn_without_gap([0, 2, 1, 7])
    3
    """
    return next(place for place in count() if place not in places)


def _judged(
    section: Section, run: RunRecord, units: NDArray[np.intp]
) -> tuple[Candidates, Candidates, Candidates]:
    """Return the leader's best and worst images, and those on which rows lie furthest apart."""
    metric = next(iter(headlines(run)), None)
    if metric is None or not section.ranked:
        return [], [], []
    values = section.values[metric][units][:, section.ranked]
    first = int(np.flatnonzero(section.whole(metric)[section.ranked])[0])
    leader = section.rows[section.ranked[first]]
    part = "its part in " if run.metrics[metric].is_pooled else ""
    said = f"by {part}{header(run, metric)} of {leader.method} on {leader.model}"
    own = values[:, first]
    known = np.flatnonzero(~np.isnan(own))
    ordered = known[np.argsort(-run.metrics[metric].sign * own[known], kind="stable")]
    half = min(_EACH, -(-len(ordered) // _PAIR))
    ends = [
        [(int(units[at]), f"{end} {said}: {number(own[at])}") for at in chosen[:half]]
        for end, chosen in ((BEST, ordered), (WORST, ordered[::-1]))
    ]
    return ends[0], ends[1], list(_apart(values, units, shown(run, metric)))


def _apart(
    values: NDArray[np.float64], units: NDArray[np.intp], named: str
) -> Iterator[tuple[int, str]]:
    several = np.flatnonzero((~np.isnan(values)).sum(axis=1) >= _PAIR)
    if not len(several):
        return
    low, high = np.nanmin(values[several], axis=1), np.nanmax(values[several], axis=1)
    for at in np.argsort(low - high, kind="stable")[:_EACH]:
        words = f"methods differ most by {named}: {number(low[at])} to {number(high[at])}"
        yield int(units[several[at]]), words
