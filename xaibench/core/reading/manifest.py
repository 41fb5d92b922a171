"""Reading a table of images: a CSV file with the columns image, label, mask and group."""

import csv
import os.path
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from xaibench.core.errors import XaibenchError
from xaibench.core.suggest import did_you_mean

_REQUIRED = ("image", "label")
_OPTIONAL = ("mask", "group")


class Row(NamedTuple):
    """One image of a manifest."""

    id: str
    image: Path
    label: str
    masks: tuple[Path, ...]
    group: str


def read_manifest(path: Path) -> list[Row]:
    """Return the rows of a manifest, whose paths are relative to its folder.

    Other columns are passed over, unless their names look like slips.

    Raises:
        XaibenchError: the table lacks a column, a value or a file.
    """
    try:
        # Spreadsheets put a byte order mark in front, which would become part of a column's name.
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True, skipinitialspace=True)
            _check_columns(path, list(reader.fieldnames or ()))
            rows = list(_read_rows(path, reader))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise XaibenchError(
            f"{path}: not a readable CSV file in UTF-8 ({error}); save it anew."
        ) from error
    if not rows:
        raise XaibenchError(f"{path}: it has no rows; write one for each image.")
    return rows


def _check_columns(path: Path, columns: list[str]) -> None:
    known = (*_REQUIRED, *_OPTIONAL)
    for name in _REQUIRED:
        if name not in columns:
            raise XaibenchError(
                f"{path}: no column '{name}', only {', '.join(columns) or 'nothing'}; separate the "
                "columns image, label and, where you have them, mask and group by commas."
            )
    for name in columns:
        hint = did_you_mean(name, [other for other in known if other not in columns])
        if name not in known and hint:
            raise XaibenchError(f"{path}: column '{name}' means nothing here{hint}; rename it.")


def _read_rows(path: Path, reader: "csv.DictReader[str]") -> Iterator[Row]:
    for cells in reader:
        where = f"{path}, line {reader.line_num}"
        # A short row gives None as a value, a long one a list under the key None.
        if any(not isinstance(cell, str) for cell in cells.values()):
            raise XaibenchError(
                f"{where}: it has not as many values as there are columns; add or remove commas."
            )
        yield _read_row(path.parent, where, {key: cell.strip() for key, cell in cells.items()})


def _read_row(folder: Path, where: str, cells: Mapping[str, str]) -> Row:
    for name in _REQUIRED:
        if not cells[name]:
            raise XaibenchError(f"{where}: no {name}; fill it in or remove the line.")
    masks = [part.strip() for part in cells.get("mask", "").split(";") if part.strip()]
    for name in (cells["image"], *masks):
        if not (folder / name).is_file():
            raise XaibenchError(
                f"{where}: there is no file {folder / name}; write paths relative to the table."
            )
    return Row(
        _name(cells["image"]),
        folder / cells["image"],
        cells["label"],
        tuple(folder / mask for mask in masks),
        cells.get("group", ""),
    )


def _name(image: str) -> str:
    """Return an id that can name files: nothing absolute, nothing that leads upwards."""
    path = PurePosixPath(os.path.normpath(image.replace(os.sep, "/"))).with_suffix("")
    return "/".join(part for part in path.parts if part not in ("/", ".."))
