"""Reading a table of images: a CSV file with the columns image, label, mask and group."""

import os.path
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from xaibench.core.errors import XaibenchError
from xaibench.core.files import is_file
from xaibench.core.reading.annotations import composed
from xaibench.core.reading.spreadsheet import read_lines
from xaibench.core.suggest import did_you_mean

_REQUIRED = ("image", "label")
_OPTIONAL = ("mask", "group")
_LONGEST = 200


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
        XaibenchError: the table lacks a column, a value or a file, or names an image twice.
    """
    lines = read_lines(path, str(path), _REQUIRED, "save it anew")
    if not lines:
        raise XaibenchError(f"{path}: it has no rows; write one for each image.")
    _check_slips(path, lines[0].cells)
    rows = [_read_row(path.parent, where, cells) for where, cells in lines]
    first: dict[str, str] = {}
    for row, (where, _) in zip(rows, lines, strict=True):
        if (other := first.setdefault(row.id, where)) != where:
            raise XaibenchError(
                f"{where}: '{row.id}' stands in {other.rpartition(', ')[2]} already; keep one of "
                "them, or rename a file that differs only in its ending."
            )
    return rows


def _check_slips(path: Path, columns: Iterable[str]) -> None:
    known = (*_REQUIRED, *_OPTIONAL)
    for name in columns:
        hint = did_you_mean(name, [other for other in known if other not in columns])
        if name not in known and hint:
            raise XaibenchError(f"{path}: column '{name}' means nothing here{hint}; rename it.")


def _read_row(folder: Path, where: str, cells: Mapping[str, str]) -> Row:
    for name in _REQUIRED:
        if not cells[name]:
            raise XaibenchError(f"{where}: no {name}; fill it in or remove the line.")
    masks = [part.strip() for part in cells.get("mask", "").split(";") if part.strip()]
    for name in (cells["image"], *masks):
        if not is_file(folder / name):
            shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."
            raise XaibenchError(
                f"{where}: there is no file {folder / shown}; write paths relative to the table."
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
    return composed("/".join(part for part in path.parts if part not in ("/", "..")))
