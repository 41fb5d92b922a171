"""Writing one part of a cell: maps and scores as they come, ``part.json`` last."""

import csv
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress

from xaibench.core.csv_cells import to_cells
from xaibench.core.fingerprints import checksum
from xaibench.core.maps import NON_FINITE
from xaibench.core.plugin import Bound
from xaibench.core.store import settle, storing, temporary_path
from xaibench.explaining.batch import ImageBatch, Maps, keyed_maps, read_maps, write_maps
from xaibench.explaining.meter import Meter
from xaibench.explaining.parts import COLUMNS, SCORES, PartState, failure_of, tuned_for
from xaibench.explaining.score import Scorer
from xaibench.explaining.source import Explained, MapSource
from xaibench.results.maps import MapReader, MapWriter
from xaibench.results.records import Made
from xaibench.results.work_records import PartCosts, PartRecord
from xaibench.setup.provenance import each_once, made_by


class PartWriter(MapSource):
    """A part in work. Nothing counts before `commit`; a failure is recorded, never counted."""

    meter: Meter
    scorer: Scorer

    def __init__(
        self, state: PartState, metrics: Sequence[Bound], meter: Meter, *, keep_maps: bool
    ) -> None:
        """Open what is written; stored maps are taken where they hold."""
        super().__init__(state.cell.method, self._write)
        self.metrics, self.meter = metrics, meter
        ledger = state.cell.ledger
        self.scorer = Scorer(metrics, ledger.selection.target_of)
        self.tuned = tuned_for(state.cell)
        self._state = state
        self._images = self._broken = 0
        self._maps = ledger.cell_folder(self.method) / state.part.maps
        self._scores = state.folder / SCORES
        self._new_maps, self._new_scores = temporary_path(self._maps), temporary_path(self._scores)
        self._files = ExitStack()
        self._reader: MapReader | None = None
        self._writer: MapWriter | None = None
        self._writing: Future[None] | None = None
        with storing(self._scores):
            state.folder.mkdir(parents=True, exist_ok=True)
            if state.maps:
                stored = [self._maps.with_name(name) for name in state.maps]
                self._reader = self._files.enter_context(MapReader(*stored))
            elif keep_maps:
                self._writer = self._files.enter_context(closing(MapWriter(self._new_maps)))
                self._beside = self._files.enter_context(ThreadPoolExecutor(1))
            table = self._new_scores.open("w", newline="", encoding="utf-8")
            self._rows = csv.writer(self._files.enter_context(table))
            self._rows.writerow(COLUMNS)

    @property
    def needs_maps(self) -> bool:
        """Whether the method itself must run."""
        return self._reader is None

    def read(self, batch: ImageBatch) -> dict[str, Maps]:
        """Return the stored maps of a batch."""
        assert self._reader is not None
        return read_maps(self._reader, self.method, batch)

    def _write(self, found: Explained) -> None:
        """Append a batch: raw maps, what became of them, and their scores.

        Maps are written by a thread, while the next batch is explained.

        Raises:
            StorageError: the disk is full.
        """
        with storing(self._scores.parent):
            if self._writer is not None:
                self._end_writing()
                maps = keyed_maps(found.raw, found.batch)
                self._writing = self._beside.submit(write_maps, self._writer, maps)
            self._rows.writerows(map(to_cells, found.scores))
        statuses = _statuses(found)
        self._images += len(statuses)
        self._broken += sum(all(status == NON_FINITE for status in row) for row in statuses)

    def _end_writing(self) -> None:
        """Wait for the maps before, and raise what went wrong with them."""
        if self._writing is not None:
            self._writing.result()

    def commit(self) -> None:
        """Put maps and scores in place, then say so in ``part.json``.

        Raises:
            StorageError: the disk is full.
        """
        state, ledger = self._state, self._state.cell.ledger
        with storing(self._scores.parent):
            self._end_writing()
            self._files.close()
            if self._writer is not None:
                settle(self._new_maps, self._maps)
            settle(self._new_scores, self._scores)
        state.write_scores(self.scorer.waiting)
        record = PartRecord(
            maps=state.cell.maps_fingerprint,
            made_by=self._made_by(),
            files=self._kept_maps(),
            metrics={m.spec: ledger.score_fingerprint(self.method, m) for m in self.metrics},
            failed_metrics={spec: str(error) for spec, error in self.scorer.failed.items()},
            images=self._images,
            non_finite=self._broken,
            costs=self._costs(),
        )
        state.write_record(record)

    def _made_by(self) -> list[Made]:
        """Tell who made the part; of stored maps also who made them."""
        state, metrics = self._state, self.metrics
        now = made_by(state.cell.ledger.selection, self.method, *metrics)
        earlier = state.known.made_by or state.cell.known.made_by
        return each_once([*([] if self.needs_maps else earlier), now])

    def _kept_maps(self) -> dict[str, str]:
        mine = self._maps.name
        if self._writer is not None:
            return {mine: checksum(self._maps)}
        # Maps in other parts are those of a whole cell, and are in its own record.
        return {name: sha for name, sha in self._state.maps.items() if name == mine}

    def _costs(self) -> PartCosts | None:
        """Return what the maps cost; of stored ones what they cost when they were made."""
        if self.needs_maps:
            meter = self.meter
            return PartCosts(meter.seconds, meter.passes, meter.peak, meter.gap)
        return self._state.known.costs

    def fail(self, reason: str, *, skips: bool = False) -> None:
        """Drop what was written and record why."""
        super().fail(reason, skips=skips)
        self.discard()
        failure_of(self._state.cell).record(reason, skips=skips)

    def discard(self) -> None:
        """Leave no temporary file behind."""
        with suppress(OSError):  # a full disk takes not even what is left to write
            self._files.close()
        for path in (self._new_maps, self._new_scores):
            path.unlink(missing_ok=True)


def _statuses(found: Explained) -> list[tuple[str, ...]]:
    """Return what became of each image's maps; where it may show several classes, of each map."""
    each = [maps.statuses for maps in found.maps.values()]
    if found.batch.views:
        return [(status,) for statuses in each for status in statuses]
    return list(zip(*each, strict=True))
