"""What an audit found in which images, kept in the user's cache for the plans of later runs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from xaibench.core.contents import contents_of
from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import code_of, fingerprint
from xaibench.core.known_code import cache_folder
from xaibench.core.reading.duplicates import Pair
from xaibench.core.store import read_json, write_json


def recall_pairs(samples: Sequence[Sample]) -> list[Pair] | None:
    """Return which samples show the same, or None if no audit has compared all of them.

    Images are known by their content, wherever they lie and whatever they are called. An audit of
    more images serves, too. Pairs are in order; the first of a pair is before the second.
    """
    with suppress(OSError, RuntimeError):
        if next(_folder().glob(f"{_code()}-*.json"), None) is None:
            return None  # without reading all images for nothing
    keys = _keys_of(samples)
    if keys is None:
        return None
    for known in _stored(keys):
        number = {key: place for place, key in enumerate(known["images"])}
        if number.keys() >= set(keys):
            return sorted(set(_pair_up([number[key] for key in keys], known["pairs"])))
    return None


def remember_pairs(samples: Sequence[Sample], pairs: Sequence[Pair]) -> None:
    """Keep what was found; a cache that can't be written costs time and nothing else."""
    keys = _keys_of(samples)
    if keys is None:
        return
    images = sorted(set(keys))
    number = {key: place for place, key in enumerate(images)}
    stored = [
        [number[keys[first]], number[keys[second]], likeness] for first, second, likeness in pairs
    ]
    with suppress(OSError, RuntimeError, XaibenchError):
        place = _folder() / f"{_code()}-{fingerprint(images)}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json(place, {"images": images, "pairs": stored})


def _pair_up(numbers: Sequence[int], pairs: Sequence[Sequence[Any]]) -> Iterator[Pair]:
    places: dict[int, list[int]] = {}
    for place, number in enumerate(numbers):
        places.setdefault(number, []).append(place)
    for one, other, likeness in pairs:
        for first in places.get(one, ()):
            for second in places.get(other, ()):
                if first != second:
                    yield Pair(min(first, second), max(first, second), likeness)


def _keys_of(samples: Sequence[Sample]) -> list[str] | None:
    """Return what tells each image: its file's content, and its name where several share a file."""
    sums = contents_of({sample.path for sample in samples})
    shared = Counter(sample.path for sample in samples)
    if not all(sums.values()):
        return None
    return [sums[each.path] + (f" {each.id}" if shared[each.path] > 1 else "") for each in samples]


def _stored(keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield what this code's audits have left, first that of just these images."""
    with suppress(OSError, RuntimeError):
        own = f"{_code()}-{fingerprint(sorted(set(keys)))}.json"
        places = sorted(_folder().glob(f"{_code()}-*.json"), key=lambda path: path.name != own)
        for known in map(read_json, places):
            if known.keys() >= {"images", "pairs"}:
                yield known


def _folder() -> Path:
    return cache_folder() / "audits"


def _code() -> str:
    return code_of("core/reading/duplicates")
