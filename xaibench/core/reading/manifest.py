"""Reading a table of images: one row for each image, or for each of its boxes."""

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from xaibench.core.data import Box
from xaibench.core.errors import XaibenchError
from xaibench.core.files import is_file
from xaibench.core.reading.annotations import composed
from xaibench.core.reading.folders.names import part_of
from xaibench.core.reading.images import without_ending
from xaibench.core.reading.spreadsheet import TableRow, read_lines
from xaibench.core.suggest import did_you_mean

_REQUIRED = ("image", "label")
_MASK = re.compile(r"masks?(_?(path|file|\d+))?")
GROUPS = ("group", "patient", "patient_id", "patientid", "subject", "subject_id", "case_id")
PARTS = ("part", "split", "subset")
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_MISSING = frozenset({"", "na", "n/a", "nan", "none", "null", "<na>", "#n/a"})
_LONGEST = 200


class ManifestRow(NamedTuple):
    """One image of a manifest."""

    id: str
    image: Path
    label: str
    masks: tuple[Path, ...]
    group: str
    part: str = ""
    boxes: tuple[Box, ...] = ()


class Manifest(NamedTuple):
    """The images of a table, and its columns that mean nothing here."""

    rows: Sequence[ManifestRow]
    unused: Sequence[str]


class _Columns(NamedTuple):
    masks: tuple[str, ...]
    group: str
    part: str
    boxed: bool


def read_manifest(path: Path) -> Manifest:
    """Return what a manifest lists, whose paths are relative to its folder.

    The columns image and label are needed. Others are mask (or several whose names begin with
    mask), group (or patient_id and the like), part (or split), and xmin, ymin, xmax, ymax: a box in
    pixels from 0, right and bottom exclusive. An image with several boxes has several rows.

    Raises:
        XaibenchError: the table lacks a column, a value or a file, names an image twice, or has a
            column whose name looks like a slip.
    """
    lines = read_lines(path, str(path), _REQUIRED, "save it anew")
    if not lines:
        raise XaibenchError(f"{path}: it has no rows; write one for each image.")
    columns = _find_columns(path, lines[0].cells)
    used = {*_REQUIRED, *columns.masks, columns.group, columns.part}
    used |= set(_SIDES) if columns.boxed else set()
    unused = [name for name in lines[0].cells if name and name not in used]
    _check_slips(path, unused, used)
    rows: dict[str, ManifestRow] = {}
    first: dict[str, str] = {}
    ids: dict[str, str] = {}
    for line in lines:
        row = _read_row(path.parent, line, columns)
        if row.id != (other := ids.setdefault(os.path.normpath(row.image.absolute()), row.id)):
            raise XaibenchError(
                f"{line.where}: this is the image of {first[other]}, written in another way; keep "
                "one of them."
            )
        known = rows.get(row.id)
        if known is not None and not (row.boxes and row == known._replace(boxes=row.boxes)):
            raise XaibenchError(
                f"{line.where}: '{row.id}' is in {first[row.id]} already; keep one of them, or "
                "rename a file that differs only in its ending."
            )
        rows[row.id] = row._replace(boxes=(*(known.boxes if known else ()), *row.boxes))
        first.setdefault(row.id, line.where.rpartition(", ")[2])
    return Manifest(list(rows.values()), unused)


def _find_columns(path: Path, names: Iterable[str]) -> _Columns:
    there = list(names)
    sides = [side for side in _SIDES if side in there]
    if 0 < len(sides) < len(_SIDES):
        lacking = next(side for side in _SIDES if side not in there)
        raise XaibenchError(
            f"{path}: no column '{lacking}' beside {sides[0]}; a box needs all four."
        )
    return _Columns(
        tuple(name for name in there if _MASK.fullmatch(_joined(name))),
        find_column(GROUPS, there),
        find_column(PARTS, there),
        bool(sides),
    )


def find_column(wanted: Iterable[str], names: Iterable[str]) -> str:
    """Return the column of the first wanted name; empty without any.

    >>> find_column(["group", "patient_id"], ["image", "patient id"])
    'patient id'
    """
    there = {_joined(name): name for name in names}
    return next((there[name] for name in wanted if name in there), "")


def _joined(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name)


def _check_slips(path: Path, unused: Iterable[str], used: Iterable[str]) -> None:
    known = [name for name in (*_REQUIRED, "mask", "group", "part") if name not in used]
    for name in unused:
        if hint := did_you_mean(name, known):
            raise XaibenchError(f"{path}: column '{name}' means nothing here{hint}; rename it.")


def _read_row(folder: Path, line: TableRow, columns: _Columns) -> ManifestRow:
    cells = {name: "" if is_missing(cell) else cell for name, cell in line.cells.items()}
    for name in _REQUIRED:
        if not cells[name]:
            raise XaibenchError(f"{line.where}: no {name}; fill it in or remove the line.")
    masks = [
        part.strip()
        for name in columns.masks
        for part in re.split("[;|]", cells[name])
        if part.strip()
    ]
    image, *layers = (find_file(folder, name, line.where) for name in (cells["image"], *masks))
    return ManifestRow(
        name_image(cells["image"]),
        image,
        cells["label"],
        tuple(layers),
        cells[columns.group] if columns.group else "",
        read_part(line.where, cells[columns.part]) if columns.part else "",
        _read_box(line.where, cells) if columns.boxed else (),
    )


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value, as spreadsheets, R and pandas write it."""
    return cell.casefold() in _MISSING


def find_file(folder: Path, name: str, where: str) -> Path:
    """Return the file that a cell names, as Unix or as Windows writes paths.

    Raises:
        XaibenchError: it isn't there.
    """
    for written in (name, name.replace("\\", "/")):
        if is_file(folder / written):
            return folder / written
    shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."
    raise XaibenchError(
        f"{where}: there is no file {folder / shown}; write paths relative to the table."
    )


def read_part(where: str, told: str) -> str:
    """Return train, validation or test for what a cell calls a part; empty where it is.

    Raises:
        XaibenchError: it names no part.
    """
    part = part_of(told) if told else ""
    if told and not part:
        raise XaibenchError(f"{where}: '{told}' is no part; write train, validation or test.")
    return part


def _read_box(where: str, cells: Mapping[str, str]) -> tuple[Box, ...]:
    told = [cells[side] for side in _SIDES]
    if not any(told):
        return ()
    numbers = [_number(text) for text in told]
    left, top, right, bottom = numbers
    if not all(map(math.isfinite, numbers)) or right <= max(left, 0) or bottom <= max(top, 0):
        raise XaibenchError(
            f"{where}: the box {', '.join(told)} is empty or outside, or no number; fix it."
        )
    if max(numbers) <= 1:
        raise XaibenchError(f"{where}: the box is in shares of the image; write it in pixels.")
    box = Box(*map(round, numbers))
    if box.left == box.right or box.top == box.bottom:
        raise XaibenchError(
            f"{where}: the box {', '.join(told)} is narrower than a pixel; write it in pixels."
        )
    return (box,)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def name_image(image: str) -> str:
    """Return an id that can name files: nothing absolute, nothing that leads upwards."""
    text = image.replace(os.sep, "/").replace("\\", "/")
    path = PurePosixPath(without_ending(PurePosixPath(os.path.normpath(text)).as_posix()))
    return composed("/".join(part for part in path.parts if part not in ("/", "..")))
