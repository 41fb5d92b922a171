"""One job: a trained model, and all its missing cells in one walk over the test images."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor

from xaibench.core.errors import reason_of
from xaibench.core.loading import Loaded
from xaibench.core.passes.device import choose_device, place_images
from xaibench.core.passes.tape import RECORDED_WORDS, Tape
from xaibench.core.plugin import Bound
from xaibench.core.progress import progress_bar
from xaibench.core.registry import bind
from xaibench.pipeline.analyse import analyse
from xaibench.pipeline.cell_files import CellFiles
from xaibench.pipeline.cells import Job, Ledger
from xaibench.pipeline.explain import (
    TestBatch,
    ask,
    explain_again,
    finish_maps,
    record,
)
from xaibench.pipeline.meter import Meter
from xaibench.pipeline.score import Asked, Evidence, gather
from xaibench.pipeline.selection import Selection
from xaibench.pipeline.trained import Predictions, obtain_model
from xaibench.pipeline.tuning import Tuning

_log = logging.getLogger(__name__)
Evidences = dict[str, Evidence]
_Made = tuple[dict[str, Tensor], Evidences]


def do_job(selection: Selection, job: Job, metrics: Sequence[Bound]) -> dict[str, str]:
    """Train if need be, explain, score and analyse. Return what failed, with the errors."""
    ledger = Ledger(selection, job.fold, selection.model(job.model), job.seed)
    worker = _Worker(ledger)
    cells = [worker.open_cell(bind("method", spec), metrics) for spec in job.methods]
    try:
        worker.tune(cells)
        worker.walk(cells)
        for cell in cells:
            if not cell.error:
                cell.commit()
    finally:
        for cell in cells:
            cell.discard()
    failed = {cell.method.spec: cell.error for cell in cells if cell.error}
    return failed | analyse(ledger, worker.engine.model, job.analyses)


class _Worker:
    """A trained model with its images."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.selection = ledger, ledger.selection
        self.split = self.selection.split(ledger.fold)
        self.device = choose_device(self.selection.options.device)
        self.engine = self.judge = self.selection.engine(obtain_model(ledger))
        self.predictions: Predictions | None = None
        if ledger.judge is not None:
            if ledger.judge is not ledger:
                self.judge = self.selection.engine(obtain_model(ledger.judge))
            self.predictions = Predictions(ledger.judge.folder / "predictions.csv")
        self.mean_mask: Tensor | None = None

    def open_cell(self, method: Bound, metrics: Sequence[Bound]) -> CellFiles:
        """Return a cell, ready for what it lacks."""
        if "mean_mask" in method.plugin.signature.words and self.mean_mask is None:
            self.mean_mask = self._average_masks()
        state = self.ledger.cell_state(method)
        return CellFiles(self.ledger, state, state.missing_metrics(metrics), Meter(self.engine))

    def tune(self, cells: Sequence[CellFiles]) -> None:
        """Tune thresholds on validation images for all cells whose metrics ask for one."""
        waiting = [cell for cell in cells if cell.needs_threshold]
        if not waiting:
            return
        seen = self.split.seen_in(self.split.validation)
        tuning = Tuning()
        with progress_bar("tune", self.ledger.title, len(seen)) as bar:
            for loaded in self.selection.loader.batches(seen, self.selection.options.batch_size):
                batch = self._prepare(loaded, self.selection.tuning_target)
                tape = record(self.engine, [cell.method for cell in waiting], batch.images)
                for cell in waiting:
                    with self._failing_alone(cell):
                        maps = finish_maps(cell.method, self._ask(cell, batch, tape), batch)
                        tuning.add(cell.method, next(iter(maps.values())).values, batch.masks)
                waiting = [cell for cell in waiting if not cell.error]
                bar.advance(len(batch.ids))
        found = tuning.thresholds()
        for cell in waiting:
            cell.threshold = found[cell.method.spec]

    def walk(self, cells: Sequence[CellFiles]) -> None:
        """Explain and score all test images for all cells, batch by batch."""
        samples = self.split.test if cells else ()
        with progress_bar("explain", self.ledger.title, len(samples)) as bar:
            for loaded in self.selection.loader.batches(samples, self.selection.options.batch_size):
                batch = self._prepare(loaded, self.selection.options.target)
                tape = self._record(cells, batch)
                # All are explained before the first is scored, as they share passes then.
                found = []
                left = [cell for cell in cells if not cell.error]
                for cell in left:
                    bar.at(cell.method.spec)
                    found.append((cell, self._look(cell, batch, tape)))
                    bar.advance(len(batch.ids) / len(left) / 2)
                for cell, made in found:
                    bar.at(f"{cell.method.spec}: scores")
                    if made is not None:
                        self._score(cell, batch, *made)
                    bar.advance(len(batch.ids) / len(left) / 2)

    def _record(self, cells: Sequence[CellFiles], batch: TestBatch) -> Tape | None:
        """Run the pass that all methods share; each is charged for it as if it stood alone."""
        asking = [cell for cell in cells if cell.needs_maps and not cell.error]
        if not asking:
            return None
        shared = Meter(self.engine)
        with shared.measuring():
            tape = record(self.engine, [cell.method for cell in asking], batch.images)
        for cell in asking:
            if RECORDED_WORDS & set(cell.method.plugin.signature.words):
                cell.meter.add(shared)
        return tape

    def _look(self, cell: CellFiles, batch: TestBatch, tape: Tape | None) -> _Made | None:
        """Return a cell's raw maps and what they are scored by, None if its method failed."""
        with self._failing_alone(cell):
            if cell.needs_maps:
                assert tape is not None
                whole = "network" in cell.method.plugin.signature.words
                with cell.meter.measuring(whole_network=whole):
                    raw = self._ask(cell, batch, tape)
            else:
                raw = cell.read(batch)
            asked = partial(self._asked, cell, batch)
            return raw, gather(finish_maps(cell.method, raw, batch), batch, asked)
        return None

    def _ask(self, cell: CellFiles, batch: TestBatch, tape: Tape) -> dict[str, Tensor]:
        seed, mean_mask = self.ledger.seed, self.mean_mask
        return {
            kind: ask(cell.method, tape, batch, kind, seed=seed, mean_mask=mean_mask)
            for kind in batch.targets
        }

    def _asked(self, cell: CellFiles, batch: TestBatch, kind: str) -> Asked:
        explain = partial(
            explain_again, cell.method, self.engine, batch, kind,
            seed=self.ledger.seed, mean_mask=self.mean_mask,
        )  # fmt: skip
        return Asked(explain, cell.threshold)

    def _score(
        self, cell: CellFiles, batch: TestBatch, raw: dict[str, Tensor], evidence: Evidences
    ) -> None:
        with self._failing_alone(cell):
            cell.write(raw, batch, cell.scorer.add(evidence, batch))

    @contextmanager
    def _failing_alone(self, cell: CellFiles) -> Iterator[None]:
        """Keep a method's failure its cell's own; the others go on."""
        try:
            yield
        except Exception as error:  # any plugin may raise anything
            reason = reason_of(error)
            cell.fail(reason)
            _log.error("%s on %s failed: %s", cell.method.spec, self.ledger.title, reason)
            _log.debug("traceback of %s", cell.method.spec, exc_info=True)

    def _prepare(self, loaded: Loaded, target: str) -> TestBatch:
        images = place_images(loaded.images, self.device)
        targets = {"label": torch.tensor([sample.label for sample in loaded.samples])}
        if target != "label" and self.predictions is not None:
            targets["predicted"] = self._predicted(loaded, images, self.predictions)
        chosen = {target: targets[target]} if target in targets else targets
        return TestBatch.of(loaded, images, chosen, self.judge.predict)

    def _predicted(self, loaded: Loaded, images: Tensor, predictions: Predictions) -> Tensor:
        stored = predictions.of(loaded.samples)
        if stored is None:  # validation images, to tune on
            return self.judge.predict(images).argmax(dim=1)
        return stored

    def _average_masks(self) -> Tensor:
        """Return the average ``(H, W)`` of the training masks that may be seen."""
        seen = self.split.seen_in(self.split.train)
        masks = (self.selection.loader.load(sample).mask for sample in seen)
        total, count = np.zeros((self.selection.options.image_size,) * 2), 0
        for mask in masks:
            if mask is not None:
                total += mask > 0
                count += 1
        return torch.from_numpy(total / max(count, 1)).float().to(self.device)
