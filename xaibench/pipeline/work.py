"""One job: a trained model, and all its missing cells in one walk over the test images."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from xaibench.core.device import choose_device, place_images
from xaibench.core.errors import XaibenchError
from xaibench.core.loading import Loaded
from xaibench.core.plugin import Bound
from xaibench.core.progress import progress_bar
from xaibench.core.registry import bind
from xaibench.core.tape import Tape
from xaibench.pipeline.cell_files import CellFiles
from xaibench.pipeline.cells import Job, Ledger
from xaibench.pipeline.explain import Stopwatch, TestBatch, ask, finish_maps, record
from xaibench.pipeline.score import Evidence, gather, score_batch
from xaibench.pipeline.selection import Selection
from xaibench.pipeline.trained import Predictions, obtain_model

_log = logging.getLogger(__name__)
Evidences = dict[str, Evidence]
_Made = tuple[dict[str, Tensor], Evidences]


def do_job(selection: Selection, job: Job, metrics: Sequence[Bound]) -> dict[str, str]:
    """Train if need be, explain and score. Return the errors of methods that failed, by method."""
    ledger = Ledger(selection, job.fold, selection.model(job.model), job.seed)
    worker = _Worker(ledger)
    cells = [_open_cell(ledger, bind("method", spec), metrics) for spec in job.methods]
    try:
        worker.walk(cells)
        for cell in cells:
            if not cell.error:
                cell.commit()
    finally:
        for cell in cells:
            cell.discard()
    return {cell.method.spec: cell.error for cell in cells if cell.error}


def _open_cell(ledger: Ledger, method: Bound, metrics: Sequence[Bound]) -> CellFiles:
    state = ledger.cell_state(method)
    watch = Stopwatch(choose_device(ledger.selection.options.device))
    return CellFiles(ledger, state, state.missing_metrics(metrics), watch)


class _Worker:
    """A trained model with its test images."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.selection = ledger, ledger.selection
        self.device = choose_device(ledger.selection.options.device)
        self.engine = self.selection.engine(obtain_model(ledger))
        self.predictions = Predictions(ledger.folder / "predictions.csv")
        self.mean_mask: Tensor | None = None

    def walk(self, cells: Sequence[CellFiles]) -> None:
        """Explain and score all test images for all cells, batch by batch."""
        if any("mean_mask" in c.method.plugin.signature.words for c in cells if c.needs_maps):
            self.mean_mask = self._average_masks()
        samples = self.selection.split(self.ledger.fold).test if cells else ()
        with progress_bar(f"explain {self.ledger.title}", len(samples)) as bar:
            for loaded in self.selection.loader.batches(samples, self.selection.options.batch_size):
                batch = self._prepare(loaded)
                asking = [cell.method for cell in cells if cell.needs_maps and not cell.error]
                tape = record(self.engine, asking, batch.images) if asking else None
                # All are explained before the first is scored, as they share passes then.
                found = [(cell, self._look(cell, batch, tape)) for cell in cells if not cell.error]
                for cell, made in found:
                    if made is not None:
                        self._score(cell, batch, *made)
                bar.advance(len(batch.ids))

    def _look(self, cell: CellFiles, batch: TestBatch, tape: Tape | None) -> _Made | None:
        """Return a cell's raw maps and what they are scored by, None if its method failed."""
        with self._failing_alone(cell):
            raw = self._explain(cell, batch, tape) if cell.needs_maps else cell.read(batch)
            return raw, gather(finish_maps(cell.method, raw, batch), batch)
        return None

    def _score(
        self, cell: CellFiles, batch: TestBatch, raw: dict[str, Tensor], evidence: Evidences
    ) -> None:
        with self._failing_alone(cell):
            scores = score_batch(cell.metrics, evidence, batch, self.selection.target_of)
            cell.write(raw, batch, scores)

    @contextmanager
    def _failing_alone(self, cell: CellFiles) -> Iterator[None]:
        """Keep a method's failure its cell's own; the others go on."""
        try:
            yield
        except Exception as error:  # any plugin may raise anything
            reason = str(error) if isinstance(error, XaibenchError) else repr(error)
            cell.fail(reason)
            _log.error("%s on %s failed: %s", cell.method.spec, self.ledger.title, reason)
            _log.debug("traceback of %s", cell.method.spec, exc_info=True)

    def _explain(self, cell: CellFiles, batch: TestBatch, tape: Tape | None) -> dict[str, Tensor]:
        assert tape is not None
        seed, mean_mask = self.ledger.seed, self.mean_mask
        with cell.watch:
            return {
                kind: ask(cell.method, tape, batch, kind, seed=seed, mean_mask=mean_mask)
                for kind in batch.targets
            }

    def _prepare(self, loaded: Loaded) -> TestBatch:
        labels = torch.tensor([sample.label for sample in loaded.samples], device=self.device)
        predicted = self.predictions.of(loaded.samples, self.device)
        targets = {"label": labels, "predicted": predicted}
        chosen = self.selection.options.target
        return TestBatch(
            ids=[sample.id for sample in loaded.samples],
            images=place_images(loaded.images, self.device),
            masks=loaded.masks.to(self.device),
            annotated=[sample.annotated for sample in loaded.samples],
            targets=targets if chosen == "auto" else {chosen: targets[chosen]},
            predict=self.engine.predict,
        )

    def _average_masks(self) -> Tensor:
        """Return the average ``(H, W)`` of the training masks that may be seen."""
        split = self.selection.split(self.ledger.fold)
        masks = (self.selection.loader.load(s).mask for s in split.train if s.id in split.seen)
        total, count = np.zeros((self.selection.options.image_size,) * 2), 0
        for mask in masks:
            if mask is not None:
                total += mask > 0
                count += 1
        return torch.from_numpy(total / max(count, 1)).float().to(self.device)
