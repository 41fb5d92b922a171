"""What a model finds in images that may show several classes: one threshold for each class."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from xaibench.core.cutoffs import best_cutoff
from xaibench.core.data import Sample
from xaibench.core.loading import Loaded
from xaibench.core.model import Model, evaluating
from xaibench.core.passes.device import place_images
from xaibench.core.passes.engine import Engine
from xaibench.setup.cells import Ledger
from xaibench.setup.several import labels_of

OF_ONE = ("confidence",)
OF_SEVERAL = ("confidence", "label", "prediction", "threshold")
"""The columns of predictions that each class has of its own."""


def predictions_of_several(
    ledger: Ledger, model: Model, device: torch.device
) -> Iterator[Sequence[object]]:
    """Yield a row for each test image, as `write_predictions` describes them.

    Thresholds are those that are best on the validation images, of which labels are known.
    """
    selection, split = ledger.selection, ledger.selection.split(ledger.fold, ledger.seed)
    classes = len(selection.dataset.classes)
    nothing: list[object] = [None] * classes
    with evaluating(model):
        thresholds = _thresholds(ledger, model, device) if model.classifies else np.zeros(classes)
        for loaded, confidences in _classified(ledger, model, split.test, device):
            for row, (sample, mask) in enumerate(zip(loaded.samples, loaded.masks, strict=True)):
                labels = [each.label for each in sample.class_labels]
                answers = [*nothing, *labels, *nothing, *nothing]
                if confidences is not None:
                    mine = confidences[row].tolist()
                    found = [int(c >= t) for c, t in zip(mine, thresholds, strict=True)]
                    answers = [*mine, *labels, *found, *thresholds.tolist()]
                yield [sample.id, sample.group, None, None, *regions(sample, mask), *answers]


def _thresholds(ledger: Ledger, model: Model, device: torch.device) -> NDArray[np.float64]:
    """Return the best threshold ``(K,)`` of each class."""
    samples = ledger.selection.split(ledger.fold, ledger.seed).validation
    rule = ledger.selection.options.label_threshold
    classes = len(ledger.selection.dataset.classes)
    found = [c for _, c in _classified(ledger, model, samples, device) if c is not None]
    confidences = torch.cat(found).numpy() if found else np.zeros((0, classes))
    labels = labels_of(samples).numpy() if samples else np.zeros((0, classes), int)
    chosen = []
    for k in range(classes):
        known = labels[:, k] >= 0
        # As CSV files keep them: a confidence must not fall below itself.
        values = confidences[known, k].astype(np.float64)
        chosen.append(best_cutoff(labels[known, k], values, rule))
    return np.array(chosen)


def _classified(
    ledger: Ledger, model: Model, samples: Sequence[Sample], device: torch.device
) -> Iterator[tuple[Loaded, Tensor | None]]:
    """Yield images with their confidences ``(B, K)``; None of a model that doesn't classify."""
    engine, size = Engine(model), ledger.selection.options.batch_size
    for loaded in ledger.selection.loader.batches(samples, size):
        images = place_images(loaded.images, device)
        yield loaded, engine.predict(images).cpu() if model.classifies else None


def regions(sample: Sample, mask: Tensor) -> tuple[float | None, int | None]:
    """Return the mask's share of the image, and its number of regions that touch nowhere."""
    if not sample.annotated:
        return None, None
    marked = (mask > 0).numpy()
    return float(marked.mean()), int(ndimage.label(marked, np.ones((3, 3)))[1])
