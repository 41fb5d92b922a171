"""What reports printed: the rows of ``reported.csv``, and what follows from a printed figure."""

import csv
import io
from collections.abc import Iterator
from math import ceil, floor
from pathlib import Path
from typing import NamedTuple

from xaibench.core.errors import XaibenchError
from xaibench.stats.rates import Interval, wilson

SYSTEMS = ("1", "2", "3", "4", "5", "papers", "protocol")
TABLES = ("predictions.csv", "leaderboard.csv", "analyses.csv", "history.csv", "test")
UNITS = {"": 1, "%": 100, "0-3": 1}
APPROXIMATELY = "≈"
_ROUNDING = 1e-9
_SIMILAR = ("suite", "part", "model")
_NEEDED = ("id", "item", "metric", "source")


class Entry(NamedTuple):
    """A row: a figure that a report printed, or an item of its study without one.

    ``images`` is the number of test images and ``cases`` what a rate counts, such as the images
    that were called malignant for a precision; ``low``, ``high`` and ``attainable`` follow from
    the others. ``options`` holds what a run's options must be for its setting to be the report's,
    ``table``, ``model``, ``method`` and ``column`` where ours is found; ``command`` is where
    no suite's run is meant, and ``reason`` says why there may be no run. ``similar`` is what is
    shown then: suite, part and model of another run, divided by slashes.
    """

    id: str
    system: str
    item: str
    dataset: str
    setting: str
    images: str
    metric: str
    unit: str
    reported: str
    cases: str
    low: str
    high: str
    attainable: str
    source: str
    note: str
    suite: str
    part: str
    options: str
    table: str
    model: str
    method: str
    column: str
    command: str
    reason: str
    similar: str

    @property
    def scale(self) -> int:
        """What a share of 1 is in the row's unit."""
        return UNITS[self.unit]

    @property
    def other(self) -> "Entry":
        """The same figure of the similar run."""
        fields = self.similar.split("/", len(_SIMILAR) - 1)
        return self._replace(**dict(zip(_SIMILAR, fields, strict=True)))

    @property
    def value(self) -> float:
        """The printed number, in the row's unit."""
        return float(self.reported.removeprefix(APPROXIMATELY))

    @property
    def half_digit(self) -> float:
        """Half of the last printed digit: rounding alone can move a figure by so much."""
        return 0.5 * 10.0 ** -len(self.reported.partition(".")[2])

    @property
    def span(self) -> Interval:
        """Wilson's interval, else what the printed digits leave open; in the row's unit."""
        if self.cases:
            return Interval(float(self.low), float(self.high))
        return Interval(self.value - self.half_digit, self.value + self.half_digit)


def read_entries(path: Path) -> list[Entry]:
    """Read ``reported.csv`` and compute its columns ``low``, ``high`` and ``attainable``.

    Raises:
        XaibenchError: there is no such file, or a line is malformed; the message names it and says
            what to write.
    """
    if not path.is_file():
        raise XaibenchError(f"{path}: no such file; name the folder that holds it by --published.")
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        header = next(lines, [])
        if header != list(Entry._fields):
            raise XaibenchError(f"{path}, line 1: the columns must be {', '.join(Entry._fields)}.")
        entries: dict[str, Entry] = {}
        for cells in lines:
            wrong = next(_mistakes(cells, entries), None)
            if wrong:
                raise XaibenchError(f"{path}, line {lines.line_num}: {wrong}.")
            entry = Entry(*cells)
            entries[entry.id] = entry._replace(**_computed(entry))
    return list(entries.values())


def as_csv(entries: list[Entry]) -> str:
    """Write entries as `read_entries` reads them."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([Entry._fields, *entries])
    return text.getvalue()


def attainable(entry: Entry) -> str:
    """Say which count gives the printed rate, or that none does, with the rates next to it.

    Empty where nothing is counted, or the report gives the rate as approximate.
    """
    if not entry.cases or entry.reported.startswith(APPROXIMATELY):
        return ""
    cases = int(entry.cases)
    count = entry.value / entry.scale * cases
    nearest = round(count)
    if abs(entry.scale * nearest / cases - entry.value) <= entry.half_digit + _ROUNDING:
        return f"{nearest}/{cases}"
    digits = len(entry.reported.partition(".")[2])
    near = (f"{k}: {entry.scale * k / cases:.{digits}f}" for k in (floor(count), ceil(count)))
    return f"no k/{cases} gives {entry.reported}; {', '.join(near)}"


def _computed(entry: Entry) -> dict[str, str]:
    if not entry.cases:
        return {"low": "", "high": "", "attainable": ""}
    ends = wilson(entry.value / entry.scale * int(entry.cases), int(entry.cases))
    low, high = (f"{entry.scale * end:.{2 if entry.scale > 1 else 4}f}" for end in ends)
    return {"low": low, "high": high, "attainable": attainable(entry)}


def _mistakes(cells: list[str], before: dict[str, Entry]) -> Iterator[str]:
    if len(cells) != len(Entry._fields):
        yield f"{len(cells)} cells instead of {len(Entry._fields)}; quote cells that hold commas"
        return
    entry = Entry(*cells)
    yield from (f"'{name}' is empty; fill it in" for name in _NEEDED if not getattr(entry, name))
    if entry.id in before:
        yield f"id '{entry.id}' is there twice; choose another"
    for name, known in (("system", SYSTEMS), ("unit", UNITS), ("table", ("", *TABLES))):
        if getattr(entry, name) not in known:
            yield f"{name} '{getattr(entry, name)}'; choose one of {', '.join(filter(None, known))}"
            return
    yield from _wrong_figures(entry)
    yield from _wrong_run(entry)


def _wrong_figures(entry: Entry) -> Iterator[str]:
    for name in ("images", "cases"):
        count = getattr(entry, name)
        if count and (not count.isdecimal() or int(count) == 0):
            yield f"{name} '{count}' is no number of images; write one or nothing"
    if entry.reported and not _is_number(entry.reported.removeprefix(APPROXIMATELY)):
        yield f"reported '{entry.reported}' is no number; write it as printed, or nothing"
    elif entry.cases and not (entry.reported and 0 <= entry.value <= entry.scale):
        yield f"'cases' needs a rate of 0 to {entry.scale}, not '{entry.reported}'; leave it empty"


def _wrong_run(entry: Entry) -> Iterator[str]:
    if entry.system.isdecimal() and not entry.suite:
        yield "'suite' is empty; each row of a system names the suite that repeats it"
    if bool(entry.table) != bool(entry.column):
        yield "'table' and 'column' go together; fill in both or none"
    if not (entry.reason or entry.command or entry.table == "test"):
        yield "'reason' is empty; say why there may be no run yet"
    if entry.similar and entry.similar.count("/") < len(_SIMILAR) - 1:
        yield f"similar '{entry.similar}'; write {'/'.join(_SIMILAR)}"
    for option in entry.options.split():
        if "=" not in option:
            yield f"options '{option}'; write name=value, separated by spaces"


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
