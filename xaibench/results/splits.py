"""Stored splits: which sample is in which part, a table for each fold."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from xaibench.core.csv_cells import restore, to_csv
from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.files import check_plain_file
from xaibench.core.repeats import count_all_folds
from xaibench.core.splits import PARTS, Parts, Split
from xaibench.core.store import write_with

FOLDER = "splits"
PREFIX = "file:"
_COLUMNS = ("sample", "class", "group", "part", "mask_seen")
_NAME = re.compile(r"(?:(holdout|official)|kfold-(\d+(?:x\d+)?)-fold(\d+))\.csv")


@dataclass(frozen=True)
class StoredSplits:
    """The splits of a run or a publication, to divide the same images in the same way.

    ``name`` is what the run that wrote them called its split: ``holdout``, ``official`` or
    ``kfold:K`` or ``kfold:KxR``; ``files`` has one for each fold.
    """

    name: str
    files: Sequence[Path]

    def parts(self, samples: Sequence[Sample], classes: Sequence[str], fold: int) -> Parts:
        """Return training, validation and test samples; who isn't named is in no part.

        Raises:
            XaibenchError: the file is unreadable, names what isn't there, or tells another class.
        """
        path = self.files[fold]
        known, found = {sample.id: sample for sample in samples}, _read(path)
        parts: dict[str, list[Sample]] = {part: [] for part in PARTS}
        for name, label, part in zip(found["sample"], found["class"], found["part"], strict=True):
            if name not in known:
                raise XaibenchError(
                    f"--split {PREFIX}: {path} names '{name}', which is no sample of this dataset; "
                    "give the options that it was made with (such as --limit)."
                )
            if part not in parts or classes[known[name].label] != label:
                raise XaibenchError(
                    f"--split {PREFIX}: {path} puts '{name}' of class '{label}' into '{part}', but "
                    f"here its class is '{classes[known[name].label]}', and parts are "
                    f"{', '.join(PARTS)}."
                )
            parts[part].append(known[name])
        return parts["train"], parts["validation"], parts["test"]


def find_stored(option: str) -> StoredSplits | None:
    """Return the splits that ``file:DIR`` names, None for any other option.

    Args:
        option: of ``--split``; DIR is a run's folder, or one that holds tables of splits.

    Raises:
        XaibenchError: there are none, or not those of all folds.
    """
    if not option.startswith(PREFIX):
        return None
    folder = Path(option.removeprefix(PREFIX))
    folder = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    found: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.glob("*.csv")):
        if match := _NAME.fullmatch(path.name):
            plain, count, fold = match.groups()
            found.setdefault(plain or f"kfold:{count}", {})[int(fold or 0)] = path
    if len(found) != 1:
        raise XaibenchError(
            f"--split {option}: {' and '.join(found) or 'no split'} there; name the folder of a "
            "run, or one with the files of one split (holdout.csv, or kfold-5-fold0.csv and so on)."
        )
    [(name, files)] = found.items()
    folds = count_all_folds(name)
    if sorted(files) != list(range(folds)):
        raise XaibenchError(
            f"--split {option}: {folds} folds need {folds} files, but {len(files)} are there."
        )
    return StoredSplits(name, [files[fold] for fold in range(folds)])


def training_ids(path: Path) -> frozenset[str]:
    """Return the names of the training samples of a stored split; none where it is missing.

    Raises:
        XaibenchError: the file is unreadable.
    """
    found = _read(path) if path.is_file() else {"sample": (), "part": ()}
    rows = zip(found["sample"], found["part"], strict=True)
    return frozenset(name for name, part in rows if part == "train")


def write_split(path: Path, split: Split, classes: Sequence[str]) -> None:
    """Write which sample is in which part, and whose masks may be seen, unless that is there."""
    rows = [
        (s.id, classes[s.label], s.group, part, s.id in split.seen)
        for part in PARTS
        for s in getattr(split, part)
    ]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    text = io.StringIO()
    to_csv(frame, text, lineterminator="\n")
    content = text.getvalue().encode()
    if not path.is_file() or path.read_bytes() != content:
        write_with(path, lambda file: file.write(content))


def _read(path: Path) -> Mapping[str, Sequence[str]]:
    try:
        check_plain_file(path)
        table = restore(pd.read_csv(path, dtype=str, keep_default_na=False))
    except (OSError, ValueError) as error:
        raise XaibenchError(f"{path}: no table of a split ({error}).") from error
    if missing := [name for name in _COLUMNS if name not in table]:
        raise XaibenchError(f"{path}: no table of a split: column {missing[0]} is missing.")
    if repeated := sorted(table["sample"][table["sample"].duplicated()]):
        raise XaibenchError(f"{path}: sample '{repeated[0]}' is named twice.")
    return {name: table[name].tolist() for name in _COLUMNS}
