"""Kinds of objects in label files: their names, and the classes that they make up together."""

import csv
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.yolo import read_names

Members = Mapping[str, frozenset[int]]
"""Classes by name, each with the indices of the categories that it is made of."""
NAMES_FILES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_COCO = Path(__file__).with_name("coco_categories.csv")


def name_categories(folder: Path) -> tuple[tuple[str, ...], Members]:
    """Return names by index, and the groups that COCO puts them into.

    A ``data.yaml`` (or ``dataset.yaml``) in the folder brings names of its own, and no groups.

    Raises:
        XaibenchError: the ``data.yaml`` has no names.
    """
    for own in NAMES_FILES:
        if (folder / own).is_file():
            return read_names(folder / own), {}
    with _COCO.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    groups: dict[str, frozenset[int]] = {}
    for kind, row in enumerate(rows):
        group = row["supercategory"]
        groups[group] = groups.get(group, frozenset()) | {kind}
    return tuple(row["name"] for row in rows), groups


def check_apart(owner: str, classes: Iterable[str], members: Members) -> None:
    """Make sure that no category belongs to two classes.

    Raises:
        XaibenchError: one does.
    """
    for one, other in combinations(classes, 2):
        if members[one] & members[other]:
            raise XaibenchError(
                f"{owner}[classes={'+'.join(classes)}]: '{one}' and '{other}' overlap; choose one "
                "of them."
            )
