"""A batch of training data, and what a classifier's numbers come to on it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from xaibench.core.data import IGNORED, UNCERTAIN
from xaibench.core.output_form import OutputForm


@dataclass
class Batch:
    """Training data: images ``(B, C, H, W)`` in [0, 1], labels ``(B,)``, masks ``(B, H, W)`` int8.

    Where images may show several classes labels are ``(B, K)``: 1, 0, or -1 where nobody can tell.

    ``masked`` ``(B,)`` tells which masks may be seen. ``images_counted`` and ``masks_counted`` are
    the sums' denominators: the numbers of this batch, or, where a batch is shared out among
    processes, the whole batch's numbers divided by the number of processes, so that averaged
    gradients equal those of the whole. ``class_weights`` ``(K,)`` weigh the images of each class;
    ``label_smoothing`` is the share of a label that all classes have in common;
    ``localization_loss`` is the one for models that don't choose theirs; ``teacher`` is the model
    with the average of the weights so far, where one is taken, and ``progress`` the share of the
    training that is done. ``class_masks`` ``(B, K, H, W)`` and ``class_known`` ``(B, K)`` are there
    for models that learn from them, where images may show several classes.
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
    class_masks: Tensor | None = None
    class_known: Tensor | None = None

    def each_class(self, classes: int) -> tuple[Tensor, Tensor]:
        """Return masks of each class ``(B, K, H, W)``, and which are known, bool ``(B, K)``.

        Where an image has one label its mask is that class's, and the others are empty.
        """
        masks = self.masks
        if self.class_masks is not None and self.class_known is not None:
            return self.class_masks, self.class_known
        known = self.masked[:, None].expand(-1, classes)
        shown = torch.ones_like(known)
        if self.labels.ndim == 1:
            shown = functional.one_hot(self.labels, classes) > 0
        return masks[:, None] * shown[:, :, None, None], known

    def counted_in(self, rows: Tensor) -> Tensor | None:
        """Return which pixels of some masks aren't `IGNORED`, ``(n, H, W)``; None if all."""
        settled = self.masks[rows] != IGNORED
        return None if bool(settled.all()) else settled


def cross_entropy(numbers: Tensor, batch: Batch, form: OutputForm | None = None) -> Tensor:
    """Return the mean cross-entropy over the counted images, each weighed by its class.

    Without a form the numbers are logits ``(B, K)``, or ``(B, 1)`` for two classes. Of several
    labels an image it is the binary cross-entropy, the mean over those that are known.
    """
    if batch.labels.ndim > 1:
        return _of_several(numbers, batch, form) / batch.images_counted
    logs = (form or OutputForm.of_logits(numbers)).log_likelihoods(numbers)
    total = functional.nll_loss(logs, batch.labels, weight=batch.class_weights, reduction="sum")
    if batch.label_smoothing:
        weights = 1 if batch.class_weights is None else batch.class_weights
        common = -(weights * logs).sum() / logs.shape[1]
        total = torch.lerp(total, common, batch.label_smoothing)
    return total / batch.images_counted


def _of_several(numbers: Tensor, batch: Batch, form: OutputForm | None) -> Tensor:
    """Return the sum over images; a class weighs w where it shows, and 1 - w where it doesn't."""
    logits = numbers if form is None else form.logits(numbers)
    known = batch.labels != UNCERTAIN
    truth = (batch.labels == 1).to(logits.dtype)
    smooth = torch.lerp(truth, torch.full_like(truth, 0.5), batch.label_smoothing)
    each = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    if batch.class_weights is not None:
        each = each * torch.where(truth > 0, batch.class_weights, 1 - batch.class_weights)
    return ((each * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)).sum()


def accuracy(numbers: Tensor, batch: Batch, form: OutputForm | None = None) -> Tensor:
    """Return the share of the batch's images whose label is the likeliest class.

    Of several labels an image it is the share of those known that a confidence of 0.5 tells.
    """
    if batch.labels.ndim > 1:
        logits = numbers.detach() if form is None else form.logits(numbers.detach())
        known = batch.labels != UNCERTAIN
        right = ((logits >= 0) == (batch.labels == 1)) & known
        return right.sum() / known.sum().clamp(min=1)
    logs = (form or OutputForm.of_logits(numbers)).log_likelihoods(numbers.detach())
    return (logs.argmax(dim=1) == batch.labels).float().mean()
