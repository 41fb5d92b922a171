"""A batch of training data, and what a classifier's numbers come to on it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from xaibench.core.data import IGNORED
from xaibench.core.output_form import OutputForm


@dataclass
class Batch:
    """Training data: images ``(B, C, H, W)`` in [0, 1], labels ``(B,)``, masks ``(B, H, W)`` int8.

    ``masked`` ``(B,)`` tells which masks may be seen. ``images_counted`` and ``masks_counted`` are
    the sums' denominators: the numbers of this batch, or, where a batch is shared out among
    processes, the whole batch's numbers divided by the number of processes, so that averaged
    gradients equal those of the whole. ``class_weights`` ``(K,)`` weigh the images of each class;
    ``label_smoothing`` is the share of a label that all classes have in common;
    ``localization_loss`` is the one for models that don't choose theirs; ``teacher`` is the model
    with the average of the weights so far, where one is taken, and ``progress`` the share of the
    training that is done.
    """

    images: Tensor
    labels: Tensor
    masks: Tensor
    masked: Tensor
    images_counted: float
    masks_counted: float
    class_weights: Tensor | None = None
    label_smoothing: float = 0.0
    localization_loss: str = "bce"
    teacher: Any = None
    progress: float = 0.0

    def counted_in(self, rows: Tensor) -> Tensor | None:
        """Return which pixels of some masks aren't `IGNORED`, ``(n, H, W)``; None if all."""
        settled = self.masks[rows] != IGNORED
        return None if bool(settled.all()) else settled


def cross_entropy(numbers: Tensor, batch: Batch, form: OutputForm | None = None) -> Tensor:
    """Return the mean cross-entropy over the counted images, each weighed by its class.

    Without a form the numbers are logits ``(B, K)``, or ``(B, 1)`` for two classes.
    """
    logs = (form or OutputForm.of_logits(numbers)).log_likelihoods(numbers)
    total = functional.nll_loss(logs, batch.labels, weight=batch.class_weights, reduction="sum")
    if batch.label_smoothing:
        weights = 1 if batch.class_weights is None else batch.class_weights
        common = -(weights * logs).sum() / logs.shape[1]
        total = torch.lerp(total, common, batch.label_smoothing)
    return total / batch.images_counted


def accuracy(numbers: Tensor, batch: Batch, form: OutputForm | None = None) -> Tensor:
    """Return the share of the batch's images whose label is the likeliest class."""
    logs = (form or OutputForm.of_logits(numbers)).log_likelihoods(numbers.detach())
    return (logs.argmax(dim=1) == batch.labels).float().mean()
