"""Training data of three classes for models that don't classify."""

import torch

from xaibench.core.batch import Batch

NAMES = ("round", "oval", "flat")


def batch_of(masked, *, labels=None, size=(40, 56), weights=None, counted=None):
    """Return a batch of noise with a grade of 2, 1 and -1 in each mask, another in each image."""
    count = len(masked)
    masks = torch.zeros(count, *size, dtype=torch.int8)
    for row in range(count):
        masks[row, 3 + row : 20 + row, 10:45] = 1
        masks[row, 5 + row, 12:30] = 2
        masks[row, 25:30, :5] = -1
    seen = torch.tensor(masked)
    return Batch(
        images=torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(1)),
        labels=torch.arange(count) % len(NAMES) if labels is None else torch.tensor(labels),
        masks=masks,
        masked=seen,
        images_counted=counted or count,
        masks_counted=counted or max(int(seen.sum()), 1),
        class_weights=weights,
    )


def gradients(model, batch):
    """Return the gradients of a batch's loss by name."""
    model.zero_grad()
    model.loss(batch)["loss"].backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}
