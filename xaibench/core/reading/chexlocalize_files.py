"""What CheXlocalize's files say: labels of CheXpert's tables, and outlines of ten findings."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from xaibench.core.data import UNCERTAIN
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.exports.find import load_json
from xaibench.core.reading.spreadsheet import read_lines

FINDINGS = (
    "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Lesion", "Airspace Opacity", "Edema",
    "Consolidation", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Support Devices",
)  # fmt: skip
IN_TABLES = {finding: finding for finding in FINDINGS} | {"Airspace Opacity": "Lung Opacity"}
"""What CheXpert's tables call them."""
_PARTS = {"val": "validation", "test": "test"}


class Radiograph(NamedTuple):
    """One image.

    Attributes:
        key: patient, study and view, which name it.
        image: its file.
        patient: whose it is.
        part: validation or test.
        labels: of each finding that was asked for: 1, 0 or -1 where nobody can tell.
        outlines: run-length encodings by finding, of those that are drawn.
        source: the file that holds them.
    """

    key: str
    image: Path
    patient: str
    part: str
    labels: Mapping[str, int]
    outlines: Mapping[str, Any]
    source: Path


def read_radiographs(folder: Path, findings: tuple[str, ...]) -> list[Radiograph]:
    """Return the images of both parts that are there.

    Args:
        folder: holds CheXpert and CheXlocalize.
        findings: some of `FINDINGS`.

    Raises:
        XaibenchError: none is there, a file is missing, or it isn't as published.
    """
    found: list[Radiograph] = []
    for name, part in _PARTS.items():
        source = folder / "CheXlocalize" / f"gt_segmentations_{name}.json"
        if source.is_file():
            found += _read_part(folder, name, part, findings, source)
    if not found:
        raise XaibenchError(
            f"{folder}: no CheXlocalize/gt_segmentations_val.json; unpack it again."
        )
    return found


def _read_part(
    folder: Path, name: str, part: str, findings: tuple[str, ...], source: Path
) -> Iterator[Radiograph]:
    drawn = load_json(source)
    table = folder / "CheXpert" / f"{name}_labels.csv"
    columns = {finding: IN_TABLES[finding].lower() for finding in findings}
    for line in read_lines(table, str(table), ("path", *columns.values()), "get it again"):
        patient, study, view = Path(line.cells["path"]).with_suffix("").parts[-3:]
        key = f"{patient}_{study}_{view}"
        image = folder / "CheXpert" / name / patient / study / f"{view}.jpg"
        if not image.is_file():
            raise XaibenchError(f"{image}: missing; unpack the archive again.")
        labels = {finding: _label(line.cells[column]) for finding, column in columns.items()}
        mine = drawn.get(key, {})
        outlines = {finding: mine[finding] for finding in findings if finding in mine}
        yield Radiograph(key, image, patient, part, labels, outlines, source)


def _label(cell: str) -> int:
    number = float(cell or 0)
    return 1 if number == 1 else UNCERTAIN if number == -1 else 0
