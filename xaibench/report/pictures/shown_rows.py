"""Which rows of a section a figure shows, in what order and under what names."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from xaibench.report.facts.proper_names import method_name, network_name
from xaibench.report.facts.section import Section
from xaibench.report.facts.supervision import is_upper_bound
from xaibench.report.judging.chapter import Chapter
from xaibench.report.numbers import is_fine, number, span
from xaibench.results.records import RunRecord


class ShownRow(NamedTuple):
    """A row that a figure shows; ``place`` is its place in the section, ``kind`` as there."""

    place: int
    label: str
    kind: str

    @property
    def folded(self) -> str:
        """The label in lines that aren't too long."""
        return fold(self.label)


def competing(chapter: Chapter, run: RunRecord, metric: str) -> list[ShownRow]:
    """Return the rows that compete and have a value, the best first.

    A model is named where there are several. A row that lacks images says so.
    """
    section = chapter.section
    short = short_names(row.model for row in section.rows if row.competes)
    count = (~np.isnan(section.values[metric])).sum(axis=0)
    most = max((count[place] for place in section.ranked), default=0)
    lines = []
    for place in section.ranked:
        row = section.rows[place]
        label = method_name(row.method)
        label += f" · {network_name(short[row.model])}" if len(short) > 1 else ""
        label += f" ({count[place]} of {most} maps)" if count[place] < most else ""
        lines.append(ShownRow(place, label, row.kind))
    return _best_first(lines, chapter, run, metric)


def controls(chapter: Chapter, run: RunRecord, metric: str) -> list[ShownRow]:
    """Return the controls that have a value, the best first: once where all models' are alike."""
    section = chapter.section
    short = short_names(row.model for row in section.rows)
    values, lines = section.values[metric], []
    for method in dict.fromkeys(row.method for row in section.rows if not row.competes):
        places = [at for at, row in enumerate(section.rows) if row.method == method]
        alike = all(
            np.array_equal(values[:, at], values[:, places[0]], equal_nan=True) for at in places
        )
        for at in places[:1] if alike else places:
            label = method_name(method)
            label += "" if alike else f" · {network_name(short[section.rows[at].model])}"
            lines.append(ShownRow(at, label, "control"))
    return _best_first(lines, chapter, run, metric)


def leader_of(lines: Sequence[ShownRow], section: Section, metric: str) -> ShownRow:
    """Return the best of the rows that lack no images, of lines in order."""
    whole = section.whole(metric)
    return next(line for line in lines if whole[line.place])


def references(
    lines: Sequence[ShownRow], section: Section, run: RunRecord
) -> list[tuple[str, ShownRow]]:
    """Return what bounds the board, of lines in order: best blind control, upper bound."""
    rows = section.rows
    found = {
        "best blind control": [line for line in lines if run.is_blind(rows[line.place].method)],
        "upper bound": [
            line for line in lines if is_upper_bound(run, section.dataset, *rows[line.place][:2])
        ],
    }
    return [(name, some[0]) for name, some in found.items() if some]


def fold(text: str, longest: int = 44) -> str:
    """Divide a name into lines, at blanks and between options only: a name stays in one piece.

    >>> fold("rise[masks=4000,cells=7] · resnet18", 16).splitlines()
    ['rise[masks=4000,', 'cells=7] ·', 'resnet18']
    """
    lines = [""]
    for piece in re.split(r"(?<=[,\s])|(?=\[)", text):
        if lines[-1] and len(lines[-1] + piece.rstrip()) > longest:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def counted(count: int, noun: str) -> str:
    """Write a number of things.

    >>> counted(1, "row"), counted(2, "row")
    ('1 row', '2 rows')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def value_of(chapter: Chapter, metric: str, place: int) -> str:
    """Write a row's mean and its interval."""
    found = chapter.judged[metric]
    fine = is_fine(found.mean[chapter.section.ranked])
    ends = span(found.low[place], found.high[place], fine)
    return f"{number(found.mean[place], fine)} {ends}".strip()


def short_names(models: Iterable[str]) -> dict[str, str]:
    """Name models without their options where that still names each uniquely."""
    distinct = list(dict.fromkeys(models))
    plain = [model.partition("[")[0] for model in distinct]
    unique = len(set(plain)) == len(distinct)
    return dict(zip(distinct, plain if unique else distinct, strict=True))


def _best_first(
    lines: list[ShownRow], chapter: Chapter, run: RunRecord, metric: str
) -> list[ShownRow]:
    cost = -run.metrics[metric].sign * chapter.judged[metric].mean
    known = [line for line in lines if not np.isnan(cost[line.place])]
    return sorted(known, key=lambda line: cost[line.place])
