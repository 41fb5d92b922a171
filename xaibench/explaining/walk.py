"""A trained model at work: thresholds, and all its missing cells in one walk over images."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from xaibench.core.errors import StorageError, reason_of
from xaibench.core.loading import Loaded
from xaibench.core.logs import pass_on_interruption
from xaibench.core.passes.device import choose_device, place_images
from xaibench.core.passes.tape import RECORDED_WORDS, Tape
from xaibench.core.plugin import Bound
from xaibench.core.progress import progress_bar
from xaibench.explaining.evidence import Asked, Evidence, evidence_of
from xaibench.explaining.explain import (
    Maps,
    TestBatch,
    ask,
    explain_again,
    finish_maps,
    record,
)
from xaibench.explaining.meter import Meter
from xaibench.explaining.part_files import PartFiles
from xaibench.explaining.parts import PartState, failure_of, threshold_of
from xaibench.explaining.tuning import Tuning
from xaibench.results.folder import PREDICTIONS_FILE
from xaibench.setup.cells import CellState, Ledger
from xaibench.setup.jobs import Part
from xaibench.training.trained import Predictions, load_model

_log = logging.getLogger(__name__)
Evidences = dict[str, Evidence]
_Made = tuple[dict[str, Tensor], dict[str, Maps], Evidences]


class Worker:
    """A trained model with its images."""

    def __init__(self, ledger: Ledger) -> None:
        """Load the model, and who judges its maps.

        Raises:
            XaibenchError: a model isn't there, or was made from something else.
        """
        self.ledger, self.selection = ledger, ledger.selection
        self._made_from = ledger.made_from
        self.split = self.selection.split(ledger.fold)
        self.device = choose_device(self.selection.options.device)
        self.engine = self.judge = self.selection.engine(load_model(ledger))
        self.predictions: Predictions | None = None
        self._told: set[tuple[str, str]] = set()
        if ledger.judge is not None:
            if ledger.judge is not ledger:
                self.judge = self.selection.engine(load_model(ledger.judge))
            self.predictions = Predictions(ledger.judge.folder / PREDICTIONS_FILE)

    def is_of(self, ledger: Ledger) -> bool:
        """Whether this is a ledger's model, as it is stored now."""
        return self.ledger.place == ledger.place and self._made_from == ledger.made_from

    def tune(self, states: Sequence[CellState]) -> None:
        """Tune a threshold for each method on the validation images whose masks may be seen."""
        seen = self.split.seen_in(self.split.validation)
        tuning, waiting = Tuning(), list(states)
        with progress_bar("tune", self.ledger.title, len(seen)) as bar:
            for loaded in self.selection.loader.batches(seen, self.selection.options.batch_size):
                batch = self._prepare(loaded, self.selection.tuning_target)
                tape = record(self.engine, [state.method for state in waiting], batch.images)
                lost: list[CellState] = []
                for state in waiting:
                    with self._failing_alone(state.method, partial(_lose, state, lost)):
                        raw = self._ask(state.method, batch, tape)
                        maps = finish_maps(state.method, raw, batch)
                        tuning.add(state.method, next(iter(maps.values())).values, batch.masks)
                waiting = [state for state in waiting if state not in lost]
                bar.advance(len(batch.ids))
        found = tuning.thresholds()
        for state in waiting:
            threshold_of(state).record(found[state.method.spec])

    def explain(self, states: Sequence[PartState], metrics: Sequence[Bound]) -> None:
        """Explain and score one part of the test images for all methods that lack it."""
        keep_maps = self.selection.options.keep_maps
        with ExitStack() as stack:
            cells = []
            for state in states:
                self._mean_mask_for(state.cell.method)  # at nobody's cost
                missing = state.cell.missing_metrics(metrics)
                cell = PartFiles(state, missing, Meter(self.engine), keep_maps=keep_maps)
                stack.callback(cell.discard)
                cells.append(cell)
            self._walk(cells, states[0].part)
            for cell in cells:
                if not cell.failed:
                    cell.commit()

    def _walk(self, cells: Sequence[PartFiles], part: Part) -> None:
        samples, options = part.of(self.split.test), self.selection.options
        chunks = self.selection.loader.batches(
            samples, options.batch_size, originals=options.score_at == "original"
        )
        with progress_bar("explain", self.ledger.title, len(samples)) as bar:
            for loaded in chunks:
                batch = self._prepare(loaded, options.target)
                tape = self._record(cells, batch)
                # All are explained before the first is scored, as they share passes then.
                found = []
                left = [cell for cell in cells if not cell.failed]
                for cell in left:
                    bar.at(cell.method.spec)
                    found.append((cell, self._look(cell, batch, tape)))
                    bar.advance(len(batch.ids) / len(left) / 2)
                for cell, made in found:
                    bar.at(f"{cell.method.spec}: scores")
                    if made is not None:
                        self._score(cell, batch, *made)
                    bar.advance(len(batch.ids) / len(left) / 2)

    def _record(self, cells: Sequence[PartFiles], batch: TestBatch) -> Tape | None:
        """Run the pass that all methods share; each is charged for it as if it stood alone."""
        asking = [cell for cell in cells if cell.needs_maps and not cell.failed]
        if not asking:
            return None
        shared = Meter(self.engine)
        with shared.measuring():
            tape = record(self.engine, [cell.method for cell in asking], batch.images)
        for cell in asking:
            if RECORDED_WORDS & set(cell.method.plugin.signature.words):
                cell.meter.add(shared)
        return tape

    def _look(self, cell: PartFiles, batch: TestBatch, tape: Tape | None) -> _Made | None:
        """Return a cell's maps, raw and finished, and their evidence; None if the method failed."""
        with self._failing_alone(cell.method, cell.fail):
            if cell.needs_maps:
                assert tape is not None
                whole = "network" in cell.method.plugin.signature.words
                with cell.meter.measuring(whole_network=whole):
                    raw = self._ask(cell.method, batch, tape)
            else:
                raw = cell.read(batch)
            maps = finish_maps(cell.method, raw, batch)
            return raw, maps, evidence_of(maps, batch, partial(self._asked, cell, batch))
        return None

    def _ask(self, method: Bound, batch: TestBatch, tape: Tape) -> dict[str, Tensor]:
        seed, mean_mask = self.ledger.seed, self._mean_mask_for(method)
        return {
            kind: ask(method, tape, batch, kind, seed=seed, mean_mask=mean_mask)
            for kind in batch.targets
        }

    def _asked(self, cell: PartFiles, batch: TestBatch, kind: str) -> Asked:
        explain = partial(
            explain_again, cell.method, self.engine, batch, kind,
            seed=self.ledger.seed, mean_mask=self._mean_mask_for(cell.method),
        )  # fmt: skip
        return Asked(explain, cell.threshold)

    def _score(
        self, cell: PartFiles, batch: TestBatch, raw: dict[str, Tensor], maps: dict[str, Maps],
        evidence: Evidences,
    ) -> None:  # fmt: skip
        failed = len(cell.scorer.failed)
        with self._failing_alone(cell.method, cell.fail):
            cell.write(raw, maps, batch, cell.scorer.add(evidence, batch))
        for metric, error in list(cell.scorer.failed.items())[failed:]:
            if (
                cell.method.spec,
                metric,
            ) not in self._told:  # once is enough, however many the parts
                self._told.add((cell.method.spec, metric))
                _log.error("%s on %s: %s", cell.method.spec, self.ledger.title, error)

    @contextmanager
    def _failing_alone(self, method: Bound, fail: Callable[[str], None]) -> Iterator[None]:
        """Keep a method's failure its cell's own; the others go on."""
        try:
            yield
        except StorageError:
            raise
        except Exception as error:  # any plugin may raise anything
            pass_on_interruption(error)
            reason = reason_of(error)
            _log.error("%s on %s failed: %s", method.spec, self.ledger.title, reason)
            _log.debug("traceback of %s", method.spec, exc_info=True)
            fail(reason)

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

    def _mean_mask_for(self, method: Bound) -> Tensor | None:
        return self._mean_mask if "mean_mask" in method.plugin.signature.words else None

    @cached_property
    def _mean_mask(self) -> Tensor:
        """The average ``(H, W)`` of the training masks that may be seen."""
        seen = self.split.seen_in(self.split.train)
        masks = (self.selection.loader.load(sample).mask for sample in seen)
        total, count = np.zeros((self.selection.options.image_size,) * 2), 0
        for mask in masks:
            if mask is not None:
                total += mask > 0
                count += 1
        return torch.from_numpy(total / max(count, 1)).float().to(self.device)


def _lose(state: CellState, lost: list[CellState], error: str) -> None:
    failure_of(state).record(error)
    lost.append(state)
