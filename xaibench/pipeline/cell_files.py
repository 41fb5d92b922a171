"""Writing one cell: maps and scores as they come, ``cell.json`` last."""

import csv
from collections.abc import Mapping, Sequence
from contextlib import suppress

from torch import Tensor

from xaibench.core.archive import MapReader, MapWriter
from xaibench.core.fingerprints import checksum
from xaibench.core.plugin import Bound
from xaibench.core.store import temporary_path, write_json
from xaibench.core.tables import COSTS
from xaibench.pipeline.cells import CellState, Ledger
from xaibench.pipeline.explain import TestBatch, restore, store
from xaibench.pipeline.meter import Meter
from xaibench.pipeline.score import Score, Scorer
from xaibench.pipeline.tuning import TUNED

_COLUMNS = list(Score._fields)
_MEGABYTE = 1e6


class CellFiles:
    """One cell in work. Nothing counts before `commit`; a failure is recorded, never counted."""

    def __init__(
        self, ledger: Ledger, state: CellState, metrics: Sequence[Bound], meter: Meter
    ) -> None:
        self.method, self.metrics, self.meter = state.method, metrics, meter
        self.scorer = Scorer(metrics, ledger.selection.target_of)
        self.error = ""
        self.threshold: float | None = None
        self.images = 0
        self._ledger, self._state = ledger, state
        self._folder = ledger.cell_folder(state.method)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._maps = self._folder / "maps.npz"
        self._scores = self._folder / "scores.csv"
        self._new_maps, self._new_scores = temporary_path(self._maps), temporary_path(self._scores)
        self._reader = MapReader(self._maps) if state.has_maps else None
        self._writer = None if state.has_maps else MapWriter(self._new_maps)
        self._table = self._new_scores.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._table)
        self._rows.writerow(_COLUMNS)
        self._keep_known_scores()

    @property
    def needs_maps(self) -> bool:
        """Whether the method itself must run."""
        return self._writer is not None

    @property
    def needs_threshold(self) -> bool:
        """Whether a metric asks for a threshold tuned on validation images."""
        return any(TUNED in metric.plugin.signature.words for metric in self.metrics)

    def read(self, batch: TestBatch) -> dict[str, Tensor]:
        """Return the stored raw maps of a batch."""
        assert self._reader is not None
        return restore(self._reader, batch)

    def write(self, raw: Mapping[str, Tensor], batch: TestBatch, scores: list[Score]) -> None:
        """Append a batch."""
        if self._writer is not None:
            store(self._writer, raw, batch)
            self.images += len(batch.ids)
        self._rows.writerows(scores)

    def commit(self) -> None:
        """Put maps and scores in place, then say so in ``cell.json``."""
        self._rows.writerows(self.scorer.finish())
        self._close()
        if self._writer is not None:
            self._new_maps.replace(self._maps)
        self._new_scores.replace(self._scores)
        known = {metric.spec: self._ledger.score_fingerprint(self.method, metric)
                 for metric in self._ledger.selection.metrics
                 if metric in self.metrics or metric.spec in self._state.scored}  # fmt: skip
        write_json(self._folder / "cell.json", {
            "method": self.method.spec,
            "maps": self._ledger.maps_fingerprint(self.method),
            "maps_sha256": checksum(self._maps),
            "scores_sha256": checksum(self._scores),
            "metrics": known,
            **self._costs(),
            TUNED: self._state.known.get(TUNED) if self.threshold is None else self.threshold,
        })  # fmt: skip

    def _costs(self) -> dict[str, float | None]:
        """Return what the maps cost; of stored ones what they cost when they were made."""
        if not self.images:
            return {name: self._state.known.get(name) for name in COSTS}
        peak = None if self.meter.peak is None else round(self.meter.peak / _MEGABYTE)
        spent = (self.meter.seconds / self.images, self.meter.passes / self.images, peak)
        return dict(zip(COSTS, spent, strict=True))

    def fail(self, error: str) -> None:
        """Drop what was written and record why."""
        self.error = error
        self._close()
        self.discard()
        # What an earlier run finished stays; a later one tries again.
        known = {**self._state.known, "method": self.method.spec, "error": error}
        write_json(self._folder / "cell.json", known)

    def discard(self) -> None:
        """Leave no temporary file behind."""
        self._close()
        for path in (self._new_maps, self._new_scores):
            path.unlink(missing_ok=True)

    def _close(self) -> None:
        with suppress(ValueError):  # closed already
            self._table.close()
        self.scorer.close()
        for archive in (self._reader, self._writer):
            if archive is not None:
                archive.close()

    def _keep_known_scores(self) -> None:
        if not self._state.scored:
            return
        with self._scores.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["metric"] in self._state.scored:
                    self._rows.writerow([row[column] for column in _COLUMNS])
