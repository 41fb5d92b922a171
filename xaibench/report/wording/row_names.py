"""Rows of a board in sentences: their names, and their values."""

from collections.abc import Iterable

from xaibench.report.facts.section import Section
from xaibench.report.judging.judge import Judged
from xaibench.report.numbers import with_interval

_NAMED = 6


def name_of(section: Section, place: int) -> str:
    """Write a row's method and model."""
    row = section.rows[place]
    return f"`{row.method}` on `{row.model}`"


def names_of(section: Section, places: Iterable[int]) -> str:
    """Name rows by model; of many the first few."""
    chosen = list(places)
    by_model: dict[str, list[str]] = {}
    for place in chosen[:_NAMED]:
        by_model.setdefault(section.rows[place].model, []).append(f"`{section.rows[place].method}`")
    text = "; ".join(f"{', '.join(names)} on `{model}`" for model, names in by_model.items())
    more = len(chosen) - _NAMED
    return f"{text} and {more} more" if more > 0 else text


def value_of(found: Judged, place: int) -> str:
    """Write a row's mean and its interval."""
    return with_interval(found.mean[place], found.low[place], found.high[place])
