"""A trained model on disk: train it, or take the stored one; and what it predicts."""

import csv
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from xaibench.core.csv_cells import restore, to_cells
from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import checksum
from xaibench.core.model import Model, evaluating
from xaibench.core.passes.device import (
    choose_device,
    place_images,
    place_model,
    set_up,
    training_precision,
)
from xaibench.core.passes.engine import Engine
from xaibench.core.store import replacing, write_with
from xaibench.core.supervision import Supervision
from xaibench.results.folder import CHECKPOINT_FILE, MODEL_FILE, PREDICTIONS_FILE, WEIGHTS_FILE
from xaibench.results.integrity import write_record
from xaibench.results.records import SCHEMA, Made
from xaibench.results.work_records import UNSAID, ModelRecord
from xaibench.setup.cells import Ledger
from xaibench.setup.provenance import made_by
from xaibench.training.checkpoint import pack
from xaibench.training.predict_several import (
    OF_ONE,
    OF_SEVERAL,
    predictions_of_several,
    regions,
)
from xaibench.training.replicas import train_on_replicas
from xaibench.training.train import Trainer

_log = logging.getLogger(__name__)


def train_model(ledger: Ledger) -> None:
    """Leave a trained model and its predictions on disk; one that holds is left alone.

    Raises:
        XaibenchError: it can't be trained under these options.
    """
    if not ledger.model_is_trained():
        _make(ledger)
    # Also where a run was killed right before it did so.
    (ledger.folder / CHECKPOINT_FILE).unlink(missing_ok=True)


def _make(ledger: Ledger) -> None:
    selection, stored = ledger.selection, ledger.folder / WEIGHTS_FILE
    if ledger.has_weights():  # only its predictions don't hold
        write_predictions(ledger, _load(ledger), choose_device(selection.options.device))
        predicted = checksum(ledger.folder / PREDICTIONS_FILE)
        known = replace(ledger.known, tested_on=ledger.tested_on, predictions_sha256=predicted)
        write_record(ledger.folder / MODEL_FILE, known)
        return
    device = choose_device(selection.options.device)
    model = place_model(selection.build(ledger.model, ledger.seed), device)
    if not model.trained:
        _log.info("train %s", ledger.title)
    learned = None if model.trained else _train(ledger, model, device)
    supervision = model.supervision or learned
    weights = pack(model.state_dict())
    write_with(stored, lambda file: file.write(weights))
    write_predictions(ledger, model.eval(), device)
    record = ModelRecord(
        schema=SCHEMA,
        model=ledger.model.spec,
        fingerprint=ledger.model_fingerprint,
        made_from=ledger.parts,
        made_by=[_made_by(ledger, device)],
        sha256=checksum(stored),
        predictions_sha256=checksum(ledger.folder / PREDICTIONS_FILE),
        supervision=supervision or UNSAID,
        tested_on=ledger.tested_on,
    )
    write_record(ledger.folder / MODEL_FILE, record)


def _made_by(ledger: Ledger, device: torch.device) -> Made:
    """Tell who trained a model, and in which precision."""
    precision = training_precision(device, ledger.selection.options.train_precision)
    return replace(made_by(ledger.selection, ledger.model), precision=precision)


def load_model(ledger: Ledger) -> Model:
    """Return the trained model in evaluation mode.

    Raises:
        XaibenchError: it isn't there, or was made from something else.
    """
    if not ledger.model_is_trained():
        raise XaibenchError(
            f"{ledger.folder}: the trained model is gone, or another run has replaced it; give "
            "each run its own --out, or repeat the command."
        )
    return _load(ledger)


def _load(ledger: Ledger) -> Model:
    selection = ledger.selection
    # A stored model needs no first weights, which may not even be there any more.
    model = selection.build(ledger.model, ledger.seed, weights="none")
    stored = torch.load(ledger.folder / WEIGHTS_FILE, map_location="cpu", weights_only=True)
    model.load_state_dict(stored)
    return set_up(model, choose_device(selection.options.device))


def _train(ledger: Ledger, model: Model, device: torch.device) -> Supervision:
    selection = ledger.selection
    if selection.options.replicas > 1:
        return train_on_replicas(ledger, model)
    trainer = Trainer(
        model,
        selection.loader,
        selection.split(ledger.fold, ledger.seed),
        selection.options,
        seed=ledger.seed,
        device=device,
    )
    trainer.train(ledger.folder, ledger.model_fingerprint, ledger.title)
    return trainer.supervision


def write_predictions(ledger: Ledger, model: Model, device: torch.device) -> None:
    """Classify the test images, in full precision.

    A row holds the sample, its group, label, prediction, the share of its pixels that its mask
    covers and the number of regions there (empty without a mask), and all confidences. Models that
    don't classify leave prediction and confidences empty. Where images may show several classes,
    label and prediction are empty, and each class has its own with the threshold between them.
    """
    classes = range(len(ledger.selection.dataset.classes))
    several = ledger.selection.dataset.several_labels
    columns = ["sample", "group", "label", "prediction", "mask_share", "regions"]
    columns += [f"{name}_{k}" for name in (OF_SEVERAL if several else OF_ONE) for k in classes]
    with (
        replacing(ledger.folder / PREDICTIONS_FILE) as path,
        path.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        rows = predictions_of_several if several else _predictions
        table.writerows(map(to_cells, rows(ledger, model, device)))


def _predictions(ledger: Ledger, model: Model, device: torch.device) -> Iterator[Sequence[object]]:
    selection = ledger.selection
    engine, classes = Engine(model), len(selection.dataset.classes)
    nothing: list[object] = [None] * (1 + classes)
    with evaluating(model):
        samples = selection.split(ledger.fold, ledger.seed).test
        for loaded in selection.loader.batches(samples, selection.options.batch_size):
            answers = [nothing] * len(loaded.samples)
            if model.classifies:
                confidences = engine.predict(place_images(loaded.images, device)).cpu()
                answers = [[int(each.argmax()), *map(float, each)] for each in confidences]
            for sample, mask, (prediction, *values) in zip(
                loaded.samples, loaded.masks, answers, strict=True
            ):
                about = [sample.id, sample.group, sample.label, prediction]
                yield [*about, *regions(sample, mask), *values]


class Predictions:
    """A model's stored predictions."""

    def __init__(self, path: Path, *, several: int = 0) -> None:
        """Read them; of images that may show ``several`` classes, as many each."""
        columns = [f"prediction_{k}" for k in range(several)] or ["prediction"]
        known = restore(
            pd.read_csv(
                path, usecols=["sample", *columns], dtype={"sample": str}, keep_default_na=False
            )
        )
        values = known[columns].to_numpy().tolist()
        found = values if several else [each for (each,) in values]
        self._of = dict(zip(known["sample"], found, strict=True))

    def of(self, samples: Sequence[Sample]) -> Tensor | None:
        """Return predicted classes ``(B,)``; None unless all are test images.

        Of images that may show several classes it is whether each is found, ``(B, K)`` of 1 and 0.
        """
        found = [self._of.get(sample.id) for sample in samples]
        return None if None in found else torch.tensor(found)
