"""Reading a table of images that may show several classes each."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from xaibench.core.data import ClassLabel, Dataset, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import natural_order
from xaibench.core.reading.choice import choose_classes, tell_alike
from xaibench.core.reading.folders.remarks import tell_parts, tell_unused
from xaibench.core.reading.label_columns import (
    LABELS,
    check_labels,
    holds_labels,
    is_blank,
    plain_label,
)
from xaibench.core.reading.manifest import (
    GROUPS,
    PARTS,
    find_column,
    find_file,
    is_missing,
    name_image,
    read_part,
)
from xaibench.core.reading.mask_style import MaskStyle
from xaibench.core.reading.spreadsheet import TableRow, column_names, read_lines
from xaibench.core.several_labels import several_labels

_BETWEEN = ";"
_MASK = "mask_"
_SHOWN = 20
_CHEXPERT = re.compile(r"(?:^|/)(patient\d+)/study\d+/")
_OTHERS = {"image", "path", "label", "mask", *GROUPS, *PARTS}


class _Table(NamedTuple):
    """A table's rows, and what its columns mean: all names are lower-case.

    Attributes:
        path: of the table.
        lines: its rows.
        image: the column of the image's file.
        classes: names as they are written, by column, or by themselves where ``label`` has them.
    """

    path: Path
    lines: Sequence[TableRow]
    image: str
    classes: Mapping[str, str]

    @property
    def by_columns(self) -> bool:
        return "label" not in self.lines[0].cells

    def first_of(self, names: Sequence[str]) -> str:
        return find_column(names, self.lines[0].cells)

    @property
    def unused(self) -> list[str]:
        used = {"", self.image, "label", *self.classes, self.first_of(GROUPS), self.first_of(PARTS)}
        return [n for n in self.lines[0].cells if n not in used and not n.startswith(_MASK)]


def read_several(path: Path, classes: tuple[str, ...], style: MaskStyle) -> Dataset | None:
    """Return the images of a table with several labels each; None where each row has one.

    ``label`` names classes with semicolons between them, or without such a column each class has
    one of its own: 1, 0, or -1 where nobody can tell; empty counts as 0, as in CheXpert's tables.
    ``mask_CLASS`` names files of that class's mask, with semicolons between them; where a class has
    that column, images that don't show it have an empty mask.

    Args:
        path: of the table; files are relative to its folder, CheXpert's to the one around it.
        classes: those to use, in this order; all by default.
        style: how masks are written.

    Raises:
        XaibenchError: a value is none of these, an image is named twice, a file is missing, or a
            column of masks doesn't say of which class they are.
    """
    table = _open(path)
    if table is None:
        return None
    named = list(table.classes.values())
    if not table.by_columns:
        named.sort(key=natural_order)
    else:
        check_labels(table.lines, table.unused, classes)
    chosen = choose_classes("folder", named, classes)
    masks = _mask_columns(table)
    samples, seen = [], set[str]()
    patients = table.image == "path" and not table.first_of(GROUPS)
    for line in table.lines:
        sample = _read_row(table, line, chosen, masks, style, patients=patients)
        if sample.id in seen:
            raise XaibenchError(
                f"{line.where}: '{sample.id}' stands there already; give each image one row."
            )
        seen.add(sample.id)
        samples.append(sample)
    listed = ", ".join(chosen[:_SHOWN]) + (", ..." if len(chosen) > _SHOWN else "")
    said = f"{path.name}: each image may show several of {len(chosen)} classes ({listed}), or none."
    grouped = len({sample.group for sample in samples if sample.group})
    said_of = f"{path.name}: paths name {grouped} patients; each stays in one part."
    told = [said_of] if patients else []
    blank = [n for n in table.unused if table.by_columns and is_blank(table.lines, n)]
    if blank:
        told.append(
            f"{path.name}: columns without any value are no classes: {', '.join(blank)}; write 0 "
            "where an image doesn't show the class."
        )
    told += tell_parts("the table names", Counter(sample.part for sample in samples))
    told += tell_unused([name for name in table.unused if name not in blank])
    return Dataset(chosen, tuple(samples), notes=(said, *told, *tell_alike(chosen)))


def _open(path: Path) -> _Table | None:
    written = column_names(path, ("image",))
    there = {name.lower(): name for name in written}
    image = "image" if "image" in there else "path"
    if image not in there:
        return None
    lines = read_lines(path, str(path), (image,), "save it anew")
    if not lines:
        return None
    if "label" in there:
        cells = [line.cells["label"] for line in lines]
        if not any(_BETWEEN in cell for cell in cells):
            return None
        names = dict.fromkeys(name for cell in cells for name in _divide(cell))
        return _Table(path, lines, image, {name: name for name in names})
    columns = {
        name: there[name]
        for name in there
        if name and name not in _OTHERS and not name.startswith(_MASK) and holds_labels(lines, name)
    }
    return _Table(path, lines, image, columns) if len(columns) > 1 else None


def _divide(cell: str) -> list[str]:
    return [name for part in cell.split(_BETWEEN) if not is_missing(name := part.strip())]


def _mask_columns(table: _Table) -> dict[str, str]:
    """Return the column of each class's masks, by the class's name.

    Raises:
        XaibenchError: a column of masks names no class.
    """
    known = {name.casefold(): name for name in table.classes.values()}
    found = {}
    for column in table.lines[0].cells:
        if column.startswith("mask"):
            name = known.get(column.removeprefix(_MASK).casefold())
            if name is None:
                raise XaibenchError(
                    f"{table.path}: column '{column}' doesn't say of which class its masks are; "
                    f"call it {_MASK}CLASS, such as {_MASK}{next(iter(known.values()))}."
                )
            found[name] = column
    return found


def _read_row(
    table: _Table,
    line: TableRow,
    chosen: Sequence[str],
    masks: Mapping[str, str],
    style: MaskStyle,
    *,
    patients: bool,
) -> Sample:
    cells = {name: "" if is_missing(cell) else cell for name, cell in line.cells.items()}
    name = cells[table.image]
    if not name:
        raise XaibenchError(f"{line.where}: no {table.image}; fill it in or remove the line.")
    labels = _labels(table, cells)
    class_labels = []
    for each in chosen:
        files = _divide(cells[masks[each]]) if each in masks else []
        layers = [
            layer
            for file in files
            for layer in style.layers(find_file(table.path.parent, file, line.where))
        ]
        known = bool(files) or (each in masks and labels[each] == 0)
        class_labels.append(ClassLabel(labels[each], tuple(layers) if known else None))
    group = cells.get(table.first_of(GROUPS), "")
    if patients and (match := _CHEXPERT.search(name.replace("\\", "/"))):
        group = match[1]
    part = table.first_of(PARTS)
    return several_labels(
        name_image(name),
        _find_image(table, name, line.where),
        tuple(class_labels),
        group=group,
        part=read_part(line.where, cells[part]) if part else "",
    )


def _labels(table: _Table, cells: Mapping[str, str]) -> dict[str, int]:
    if table.by_columns:
        return {
            name: LABELS[plain_label(cells[column]) or "0"]
            for column, name in table.classes.items()
        }
    shown = _divide(cells["label"])
    return {name: int(name in shown) for name in table.classes.values()}


def _find_image(table: _Table, name: str, where: str) -> Path:
    """Return an image's file; CheXpert writes paths from the folder around the table's own."""
    try:
        return find_file(table.path.parent, name, where)
    except XaibenchError:
        if table.image != "path":
            raise
        return find_file(table.path.absolute().parent.parent, name, where)
