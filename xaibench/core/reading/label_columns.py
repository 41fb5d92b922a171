"""What a table's columns of labels hold: 1, 0, -1 where nobody can tell, or nothing."""

from collections.abc import Mapping, Sequence

from xaibench.core.data import UNCERTAIN
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.manifest import is_missing
from xaibench.core.reading.spreadsheet import TableRow

LABELS: Mapping[str, int] = {
    "1": 1, "0": 0, "-1": UNCERTAIN, "true": 1, "false": 0,
}  # fmt: skip


def plain_label(cell: str) -> str:
    """Return a label as a whole number: tables write 1.0, too.

    >>> plain_label("1.0"), plain_label("NaN")
    ('1', '')
    """
    return "" if is_missing(cell) else cell.removesuffix(".0").casefold()


def holds_labels(lines: Sequence[TableRow], name: str) -> bool:
    """Whether a column holds labels alone, and one at least."""
    cells = {plain_label(line.cells[name]) for line in lines}
    return bool(cells - {""}) and cells <= {"", *LABELS}


def is_blank(lines: Sequence[TableRow], name: str) -> bool:
    """Whether a column has no value at all."""
    return all(is_missing(line.cells[name]) for line in lines)


def check_labels(lines: Sequence[TableRow], names: Sequence[str], classes: Sequence[str]) -> None:
    """Make sure that no class is lost for a slip in one of its column's values.

    Args:
        lines: the table's rows.
        names: columns that don't hold labels alone.
        classes: where any are named, only their columns are looked at.

    Raises:
        XaibenchError: most values of a column are labels, and one is none.
    """
    wanted = {name.casefold() for name in classes}
    for name in names:
        filled = [line for line in lines if plain_label(line.cells[name])]
        wrong = [line for line in filled if plain_label(line.cells[name]) not in LABELS]
        if (not wanted or name in wanted) and 0 < len(wrong) < len(filled) / 2:
            raise XaibenchError(
                f"{wrong[0].where}: '{name}' is '{wrong[0].cells[name]}' here, and 1, 0 or -1 in "
                "most rows; write one of these, or leave it empty. If the column is no class, "
                "name those that are: classes=A+B."
            )
