"""One part of a cell: maps and scores of some of its images, each file whole, the record last."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xaibench.core.fingerprints import checksum, code_of, fingerprint
from xaibench.core.plugin import Bound
from xaibench.core.store import write_with
from xaibench.explaining.score import Score, Waiting
from xaibench.explaining.tuned import TUNED, Tuned
from xaibench.results.folder import PART_FILE, POOLED_FILE, SCORES_FILE
from xaibench.results.integrity import are_intact, intact_record, write_record
from xaibench.results.todays_names import todays_spec
from xaibench.results.work_records import NoteRecord, PartRecord
from xaibench.setup.cells import CellState, Ledger
from xaibench.setup.jobs import Part

COLUMNS = list(Score._fields)
RECORD, SCORES, POOLED = PART_FILE, SCORES_FILE, POOLED_FILE


def parts_folder(ledger: Ledger, method: Bound) -> Path:
    """Return where a cell in work keeps its parts; it is gone once they are joined."""
    return ledger.cell_folder(method) / "parts"


@dataclass(frozen=True)
class PartState:
    """What of a part still holds."""

    cell: CellState
    part: Part

    @property
    def folder(self) -> Path:
        """Holds the part's scores and, written last, ``part.json``."""
        return parts_folder(self.cell.ledger, self.cell.method) / self.part.name

    @cached_property
    def known(self) -> PartRecord:
        """The part's record; empty where its maps were made from something else."""
        known = intact_record(self.folder / RECORD, PartRecord)
        return known if known and known.maps == self.cell.maps_fingerprint else PartRecord()

    @cached_property
    def maps(self) -> Mapping[str, str]:
        """Files of the cell's folder that hold the part's maps, whole and made from the same."""
        folder = self.cell.ledger.cell_folder(self.cell.method)
        for files in (self.known.files, self._maps_of_cell):
            if files and are_intact(folder, files):
                return files
        return {}

    @property
    def _maps_of_cell(self) -> Mapping[str, str]:
        files: Mapping[str, str] = self.cell.known.files if self.cell.fits else {}
        mine = self.part.maps  # enough, where the cell was made in the same parts
        return {mine: files[mine]} if mine in files else files

    def holds(self, metrics: Sequence[Bound]) -> bool:
        """Whether the part's scores are whole and made from the same, and so are kept maps."""
        known, ledger, method = self.known, self.cell.ledger, self.cell.method
        if not known.maps or (known.files and not self.maps):
            return False
        stored = known.metrics
        same = all(stored.get(m.spec) == ledger.score_fingerprint(method, m) for m in metrics)
        return same and are_intact(self.folder, known.sha256)

    def rows(self, wanted: Sequence[str]) -> Iterator[list[str]]:
        """Yield the scores of some metrics."""
        yield from rows_of(self.folder / SCORES, wanted)

    def waiting(self, metric: str) -> Waiting:
        """Return what a pooled metric found of the part's images."""
        with closing(np.load(self.folder / POOLED, allow_pickle=False)) as stored:
            labels = json.loads(str(stored[f"{metric}/labels"]))
            statistics = torch.from_numpy(stored[f"{metric}/statistics"])
        return Waiting([(*each,) for each in labels], [statistics])

    def write_scores(self, waiting: Mapping[str, Waiting]) -> None:
        """Store what pooled metrics found."""
        arrays: dict[str, Any] = {}
        for spec, found in waiting.items():
            statistics = torch.cat(found.statistics) if found.statistics else torch.zeros(0, 0)
            arrays[f"{spec}/statistics"] = statistics.numpy()
            arrays[f"{spec}/labels"] = np.array(json.dumps(found.labels))
        write_with(self.folder / POOLED, lambda file: np.savez(file, **arrays))

    def write_record(self, record: PartRecord) -> None:
        """Say that the part is done."""
        sums = {name: checksum(self.folder / name) for name in (SCORES, POOLED)}
        write_record(self.folder / RECORD, replace(record, sha256=sums))


def rows_of(path: Path, wanted: Sequence[str]) -> Iterator[list[str]]:
    """Yield the rows of some metrics in a cell's or a part's ``scores.csv``."""
    with path.open(newline="", encoding="utf-8") as file:
        now: dict[str, str] = {}
        for row in csv.DictReader(file):
            stored = row["metric"]
            if stored not in now:
                now[stored] = todays_spec("metric", stored)
            if now[stored] in wanted:
                yield [{**row, "metric": now[stored]}[column] for column in COLUMNS]


class CellNote:
    """A fact about a cell in work, on disk until it is joined: why it failed, its threshold."""

    def __init__(self, state: CellState, name: str) -> None:
        self.path = parts_folder(state.ledger, state.method) / f"{name}.json"
        self._made_from = fingerprint(state.maps_fingerprint, code_of("explaining/tuning"))

    @property
    def known(self) -> NoteRecord | None:
        """What was recorded under the same conditions; None without that."""
        known = intact_record(self.path, NoteRecord)
        return known if known and known.made_from == self._made_from else None

    @property
    def content(self) -> Any:
        """The fact itself."""
        return self.known.content if self.known else None

    def record(self, content: Any, *, skips: bool = False) -> None:
        """Write it down; ``skips`` says that what failed can't be explained by the method."""
        write_record(self.path, NoteRecord(content, self._made_from, skips))

    def forget(self) -> None:
        """Drop it."""
        self.path.unlink(missing_ok=True)


def failure_of(state: CellState) -> CellNote:
    """Return why a method failed at one of its parts: the others need not try."""
    return CellNote(state, "failure")


def threshold_note(state: CellState) -> CellNote:
    """Return where the thresholds that are tuned for a method are kept."""
    return CellNote(state, TUNED)


def tuned_for(state: CellState) -> Tuned | None:
    """Return the thresholds that were tuned for a method, where any were."""
    content = threshold_note(state).content
    return None if content is None else Tuned(**content)
