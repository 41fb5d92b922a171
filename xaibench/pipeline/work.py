"""One job: a trained model, and all its missing cells in one walk over the test images."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from xaibench.core.device import choose_device
from xaibench.core.errors import XaibenchError
from xaibench.core.loading import Loaded, as_floats
from xaibench.core.model import Model
from xaibench.core.progress import progress_bar
from xaibench.core.registry import Bound
from xaibench.core.tape import Tape, predict
from xaibench.pipeline.cell_files import CellFiles
from xaibench.pipeline.cells import Job, Ledger, find_method, find_model
from xaibench.pipeline.explain import Stopwatch, TestBatch, ask, finish_maps, record
from xaibench.pipeline.score import score_batch
from xaibench.pipeline.selection import Selection
from xaibench.pipeline.trained import Predictions, obtain_model

_log = logging.getLogger(__name__)


def do_job(selection: Selection, job: Job, metrics: Sequence[Bound]) -> dict[str, str]:
    """Train if need be, explain and score. Return the errors of methods that failed, by method."""
    ledger = Ledger(selection, job.fold, find_model(selection, job.model), job.seed)
    model = obtain_model(ledger)
    if not job.methods:
        return {}
    device = choose_device(selection.options.device)
    cells = [_open_cell(ledger, find_method(spec), metrics, device) for spec in job.methods]
    try:
        _walk(ledger, model, cells, device)
        for cell in cells:
            if not cell.error:
                cell.commit()
    finally:
        for cell in cells:
            cell.discard()
    return {cell.method.spec: cell.error for cell in cells if cell.error}


def _open_cell(
    ledger: Ledger, method: Bound, metrics: Sequence[Bound], device: torch.device
) -> CellFiles:
    state = ledger.cell_state(method)
    return CellFiles(ledger, state, state.missing_metrics(list(metrics)), Stopwatch(device))


def _walk(ledger: Ledger, model: Model, cells: list[CellFiles], device: torch.device) -> None:
    selection = ledger.selection
    samples = selection.split(ledger.fold).test
    predictions = Predictions(ledger.folder / "predictions.csv")
    mean_mask = _mean_mask(ledger, cells, device)
    title = f"explain {ledger.model.spec}, fold {ledger.fold}, seed {ledger.seed}"
    with progress_bar(title, len(samples)) as bar:
        for loaded in selection.loader.batches(samples, selection.options.batch_size):
            batch = _prepare(selection, loaded, predictions, device)
            asking = [cell for cell in cells if cell.needs_maps and not cell.error]
            tape = record(model, [cell.method for cell in asking], batch.images) if asking else None
            for cell in cells:
                if not cell.error:
                    _fill(cell, ledger, model, batch, tape, mean_mask)
            bar.advance(len(batch.ids))


def _fill(
    cell: CellFiles,
    ledger: Ledger,
    model: Model,
    batch: TestBatch,
    tape: Tape | None,
    mean_mask: Tensor | None,
) -> None:
    """Add one batch to a cell. A method's failure is its cell's own; the others go on."""
    selection = ledger.selection
    try:
        if cell.needs_maps:
            assert tape is not None
            with cell.watch:
                raw = {
                    kind: ask(cell.method, tape, batch, kind, seed=ledger.seed, mean_mask=mean_mask)
                    for kind in batch.targets
                }
        else:
            raw = cell.read(batch)
        maps = finish_maps(cell.method, raw, batch)
        scores = score_batch(
            cell.metrics, maps, batch, selection.target_of, lambda images: predict(model, images)
        )
        cell.write(raw, batch, scores)
    except Exception as error:  # any plugin may raise anything
        reason = str(error) if isinstance(error, XaibenchError) else repr(error)
        cell.fail(reason)
        _log.error("%s on %s failed: %s", cell.method.spec, ledger.model.spec, reason)
        _log.debug("traceback of %s", cell.method.spec, exc_info=True)


def _prepare(
    selection: Selection, loaded: Loaded, predictions: Predictions, device: torch.device
) -> TestBatch:
    labels = torch.tensor([sample.label for sample in loaded.samples], device=device)
    predicted, confidences = predictions.of(loaded.samples, device)
    targets = {"label": labels, "predicted": predicted}
    chosen = selection.options.target
    return TestBatch(
        ids=[sample.id for sample in loaded.samples],
        images=as_floats(loaded.images, device),
        masks=loaded.masks.to(device),
        annotated=[sample.annotated for sample in loaded.samples],
        targets=targets if chosen == "auto" else {chosen: targets[chosen]},
        confidences=confidences,
    )


def _mean_mask(ledger: Ledger, cells: list[CellFiles], device: torch.device) -> Tensor | None:
    """Return the average ``(H, W)`` of the training masks that may be seen, if a cell asks."""
    if not any("mean_mask" in c.method.plugin.signature.words for c in cells if c.needs_maps):
        return None
    selection = ledger.selection
    split = selection.split(ledger.fold)
    total = np.zeros((selection.options.image_size,) * 2, np.float64)
    count = 0
    for sample in split.train:
        mask = selection.loader.load(sample).mask if sample.id in split.seen else None
        if mask is not None:
            total += mask > 0
            count += 1
    return torch.from_numpy(total / max(count, 1)).float().to(device)
