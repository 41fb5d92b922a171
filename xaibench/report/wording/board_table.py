"""What a printed board is made of: columns that know what they hold, and cells."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from xaibench.report.judging.estimates import BoardRow

TIED = "="


class BoardCell(NamedTuple):
    """One cell: what is printed, and the numbers behind it.

    ``value``, by which a column is sorted, and the interval's ends are None where there is none.
    ``letters`` are all of a row's, however many; of the rows not significantly different from the
    best one `TIED` is one more.
    """

    text: str
    bold: bool = False
    interval: str = ""
    ties: str = ""
    undefined: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    letters: tuple[str, ...] = ()

    @property
    def printed(self) -> tuple[object, ...]:
        """What a reader sees of it: numbers that differ by rounding alone look the same."""
        return self[:5]


class BoardColumn(NamedTuple):
    """A column's head: its title for people, and what it holds of which metric."""

    title: str
    holds: Literal[
        "name",
        "estimate",
        "rank",
        "skill",
        "reach",
        "beside",
        "dependence",
        "repeats",
        "count",
        "cost",
    ]
    metric: str = ""


class Board(NamedTuple):
    """A table under a title; ``lead`` says in words what kind of rows it holds.

    ``rows`` are the cells of each of the ``lines``. Behind method and model are the ``metrics``,
    and behind them what else is known of a row.
    """

    family: str
    lead: str
    columns: Sequence[BoardColumn]
    rows: list[list[BoardCell]]
    lines: Sequence[BoardRow]
    metrics: Sequence[str] = ()

    @property
    def header(self) -> list[str]:
        """The columns' titles."""
        return [column.title for column in self.columns]

    def cells(self, holds: str, metric: str) -> dict[tuple[str, str], BoardCell]:
        """Return a metric's cells by method and model; empty without such a column."""
        places = [at for at, each in enumerate(self.columns) if each[1:] == (holds, metric)]
        lines = list(zip(self.lines, self.rows, strict=True))
        return {(line.method, line.model): row[at] for at in places for line, row in lines}
