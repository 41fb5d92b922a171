"""Reading the CSV files that people write, in spreadsheets more often than not."""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from xaibench.core.errors import XaibenchError
from xaibench.core.files import read_plain

_MOST_COLUMNS, _SHOWN = 10_000, 20
_WORKBOOKS = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


class TableRow(NamedTuple):
    """A row's values by column, and where it is, for messages."""

    where: str
    cells: Mapping[str, str]


def read_lines(path: Path, name: str, columns: Sequence[str], remedy: str) -> list[TableRow]:
    """Return the rows of a table with names in its first row, in lower case.

    Values are separated by commas, semicolons or tabs, and stripped of blanks. What is no UTF-8 is
    read as Windows writes it (cp1252, or UTF-16 with a mark in front).

    Args:
        path: the file.
        name: what messages call it.
        columns: those that must be there.
        remedy: what to do where the file as a whole is of no use.

    Raises:
        XaibenchError: the file is unreadable, lacks a column or has one twice, or a row has not as
            many values as there are columns.
    """
    try:
        content = read_plain(path)
        if content.startswith(_WORKBOOKS):
            raise XaibenchError(f"{name}: a workbook, which isn't read; save it as CSV.")
        text = _decode(content)
        if "\0" in text:
            raise XaibenchError(f"{name}: it holds NUL characters; {remedy}.")
        reader = csv.DictReader(
            io.StringIO(text, newline=""), delimiter=_separator(text, columns), strict=True,
            skipinitialspace=True,
        )  # fmt: skip
        reader.fieldnames = [each.strip().lower() for each in reader.fieldnames or ()]
        _check_columns(name, list(reader.fieldnames), columns)
        return list(_read_rows(name, reader))
    except FileNotFoundError:
        raise XaibenchError(f"{name}: no such file; {remedy}.") from None
    except OSError as error:
        raise XaibenchError(f"{name}: cannot be read ({error.strerror}); {remedy}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise XaibenchError(
            f"{name}: not a readable CSV file in UTF-8 ({error}); {remedy}."
        ) from error


def column_names(path: Path, columns: Sequence[str]) -> list[str]:
    """Return the names of a table's columns as they are written; none where it can't be read.

    Args:
        path: the file.
        columns: one that should be there, which tells what separates values.
    """
    try:
        text = _decode(read_plain(path))
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text, columns))
        return [name.strip() for name in next(reader, [])]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []  # whoever reads the rows says why


def _decode(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        # Spreadsheets put a byte order mark in front, which would become part of a column's name.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in content:  # no text at all
            raise
        return content.decode("cp1252")


def _separator(text: str, columns: Sequence[str]) -> str:
    """Return what parts the columns that must be there; a comma where nothing does."""
    first = text.partition("\n")[0].lower()
    for separator in (",", ";", "\t"):
        names = [each.strip(' \r"') for each in first.split(separator)]
        if set(columns) <= set(names):
            return separator
    return ","


def _check_columns(name: str, found: list[str], wanted: Sequence[str]) -> None:
    if len(found) > _MOST_COLUMNS:
        raise XaibenchError(f"{name}: {len(found)} columns; keep those that mean something here.")
    for column in wanted:
        if column not in found:
            listed = ", ".join(found[:_SHOWN]) + (" ..." if len(found) > _SHOWN else "")
            raise XaibenchError(
                f"{name}: no column '{column}', only {listed or 'nothing'}; name the columns "
                f"{' and '.join(wanted)} in the first row, separated by commas."
            )
    for column in found:
        if found.count(column) > 1:
            raise XaibenchError(f"{name}: two columns '{column}'; remove or rename one.")


def _read_rows(name: str, reader: "csv.DictReader[str]") -> Iterator[TableRow]:
    for cells in reader:
        where = f"{name}, line {reader.line_num}"
        # A short row gives None as a value, a long one a list under the key None.
        if any(not isinstance(cell, str) for cell in cells.values()):
            raise XaibenchError(
                f"{where}: it has not as many values as there are columns; add or remove commas."
            )
        yield TableRow(where, {key: cell.strip() for key, cell in cells.items()})
