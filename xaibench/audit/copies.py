"""Samples that show the same: copies, near-duplicates, and what their labels say about it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from xaibench.audit.examine import AuditFinding, Facts, Severity
from xaibench.audit.known import recall_pairs, remember_pairs
from xaibench.core.data import Sample
from xaibench.core.reading.copies import grouped_by
from xaibench.core.reading.duplicates import Pair, find_near_duplicates
from xaibench.core.reading.joining import join_pairs

_NAMED = 3
_SMALLEST = 32
"""Side below which images are compared for copies only: one handwritten digit is like another."""


class Duplicate(NamedTuple):
    """Two samples by their places; ``likeness`` is None where all pixels are the same."""

    first: int
    second: int
    likeness: float | None


def find_duplicates(facts: Sequence[Facts]) -> list[Duplicate]:
    """Return which samples show the same, in order.

    Of many copies each is paired with the first of every label, which joins them all. What was
    found in the same images before isn't looked for again.
    """
    places = [place for place, each in enumerate(facts) if each.imprint is not None]
    copies: set[Duplicate] = set()
    for group in grouped_by(places, lambda place: facts[place].pixels):
        firsts = {facts[place].sample.label: place for place in reversed(group)}
        for place in group:
            pairs = ((min(place, first), max(place, first)) for first in firsts.values())
            copies.update(Duplicate(*pair, None) for pair in pairs if pair[0] != pair[1])
    samples = [each.sample for each in facts]
    near = recall_pairs(samples)
    if near is None:
        near = [*_find_near(facts, places)]
        remember_pairs(samples, [*near, *(Pair(first, second, 1) for first, second, _ in copies)])
    found = (
        Duplicate(*pair) for pair in near if facts[pair.first].pixels != facts[pair.second].pixels
    )
    return sorted([*copies, *found], key=lambda each: (each.first, each.second))


def _find_near(facts: Sequence[Facts], places: Sequence[int]) -> Iterator[Pair]:
    places = [place for place in places if min(facts[place].size) >= _SMALLEST]
    imprints = [imprint for place in places if (imprint := facts[place].imprint) is not None]
    for first, second, likeness in find_near_duplicates(imprints):
        yield Pair(places[first], places[second], likeness)


def name_groups(facts: Sequence[Facts], duplicates: Sequence[Duplicate]) -> dict[str, str]:
    """Return the group of each sample that hangs together with others; its first one names it."""
    heads = join_pairs(len(facts), [(first, second) for first, second, _ in duplicates])
    shared = {head for place, head in enumerate(heads) if place != head}
    return {
        each.sample.id: facts[head].sample.id
        for each, head in zip(facts, heads, strict=True)
        if head in shared
    }


def describe_duplicates(
    facts: Sequence[Facts], duplicates: Sequence[Duplicate], classes: Sequence[str]
) -> Iterator[AuditFinding]:
    """Yield one finding for each sample and kind of duplicate; its detail names the other samples.

    A pair within a group of the dataset's own is only a note, for no split separates it.
    """
    found: dict[tuple[int, str], list[tuple[int, float | None]]] = {}
    for first, second, likeness in duplicates:
        for one, other in ((first, second), (second, first)):
            kind = "exact_copy" if likeness is None else "near_duplicate"
            if facts[one].sample.label != facts[other].sample.label:
                kind = "label_conflict"
            found.setdefault((one, kind), []).append((other, likeness))
    for (place, kind), others in found.items():
        sample = facts[place].sample
        apart = any(not _grouped(sample, facts[other].sample) for other, _ in others)
        severity: Severity = "warning" if apart or kind == "label_conflict" else "note"
        named = [_name(facts[other].sample, likeness, classes) for other, likeness in others]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        detail = f"{classes[sample.label]}; as {', '.join(named[:_NAMED])}{more}"
        yield AuditFinding(sample.id, kind, severity, detail)


def _grouped(one: Sample, other: Sample) -> bool:
    return bool(one.group) and one.group == other.group


def _name(sample: Sample, likeness: float | None, classes: Sequence[str]) -> str:
    degree = "same pixels" if likeness is None else f"likeness {likeness:.2f}"
    return f"{sample.id} ({classes[sample.label]}, {degree})"
