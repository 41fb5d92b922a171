"""A trained model on disk: train it, or take the stored one; and what it predicts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import ndimage
from torch import Tensor

from xaibench.core.data import Sample
from xaibench.core.fingerprints import checksum
from xaibench.core.model import Model, evaluating
from xaibench.core.passes.device import choose_device, place_images, place_model
from xaibench.core.passes.engine import Engine
from xaibench.core.store import write_json, write_with
from xaibench.core.tables import read_table
from xaibench.pipeline.cells import Ledger
from xaibench.pipeline.replicas import train_on_replicas
from xaibench.pipeline.train import Trainer


def obtain_model(ledger: Ledger) -> Model:
    """Return the trained model in evaluation mode, and leave it with its predictions on disk."""
    selection = ledger.selection
    device = choose_device(selection.options.device)
    stored = ledger.folder / "model.pt"
    # A stored model needs no first weights, which may not even be there any more.
    ready = ledger.model_is_trained()
    model = selection.build(ledger.model, ledger.seed, weights="none" if ready else None)
    if ready:
        model.load_state_dict(torch.load(stored, map_location="cpu", weights_only=True))
    model = place_model(model, device)
    if not ready:
        if not model.trained:
            _train(ledger, model, device)
        write_with(stored, lambda file: torch.save(model.state_dict(), file))
        write_predictions(ledger, model.eval(), device)
        write_json(ledger.folder / "model.json", {
            "model": ledger.model.spec,
            "fingerprint": ledger.model_fingerprint,
            "sha256": checksum(stored),
            "predictions_sha256": checksum(ledger.folder / "predictions.csv"),
        })  # fmt: skip
        (ledger.folder / "checkpoint.pt").unlink(missing_ok=True)
    model.eval().requires_grad_(requires_grad=False)
    return model


def _train(ledger: Ledger, model: Model, device: torch.device) -> None:
    selection = ledger.selection
    if selection.options.replicas > 1:
        train_on_replicas(ledger, model)
        return
    trainer = Trainer(
        model,
        selection.loader,
        selection.split(ledger.fold),
        selection.options,
        seed=ledger.seed,
        device=device,
    )
    trainer.train(ledger.folder, ledger.model_fingerprint, ledger.title)


def write_predictions(ledger: Ledger, model: Model, device: torch.device) -> None:
    """Classify the test images, in full precision.

    A row holds the sample, its group, label, prediction, the share of its pixels that its mask
    covers and the number of regions there (empty without a mask), and all confidences. Models that
    don't classify leave prediction and confidences empty.
    """
    selection = ledger.selection
    rows: list[list[object]] = []
    engine, classes = Engine(model), len(selection.dataset.classes)
    nothing: list[object] = [None] * (1 + classes)
    with evaluating(model):
        samples = selection.split(ledger.fold).test
        for loaded in selection.loader.batches(samples, selection.options.batch_size):
            answers = [nothing] * len(loaded.samples)
            if model.classifies:
                confidences = engine.predict(place_images(loaded.images, device)).cpu()
                answers = [[int(each.argmax()), *map(float, each)] for each in confidences]
            for sample, mask, (prediction, *values) in zip(
                loaded.samples, loaded.masks, answers, strict=True
            ):
                row = [sample.id, sample.group, sample.label, prediction]
                rows.append([*row, *_regions(sample, mask), *values])
    columns = ["sample", "group", "label", "prediction", "mask_share", "lesions"]
    columns += [f"confidence_{k}" for k in range(classes)]
    frame = pd.DataFrame(rows, columns=columns)
    write_with(ledger.folder / "predictions.csv", lambda file: frame.to_csv(file, index=False))


def _regions(sample: Sample, mask: Tensor) -> tuple[float | None, int | None]:
    """Return the mask's share of the image, and its number of regions that touch nowhere."""
    if not sample.annotated:
        return None, None
    marked = (mask > 0).numpy()
    return float(marked.mean()), int(ndimage.label(marked, np.ones((3, 3)))[1])


class Predictions:
    """A model's stored predictions."""

    def __init__(self, path: Path) -> None:
        self._frame = read_table(path).set_index("sample")

    def of(self, samples: Sequence[Sample]) -> Tensor | None:
        """Return predicted classes ``(B,)``; None unless all are test images."""
        names = [sample.id for sample in samples]
        if self._frame.index.isin(names).sum() < len(names):
            return None
        return torch.tensor(self._frame.loc[names, "prediction"].to_numpy("int64"))
