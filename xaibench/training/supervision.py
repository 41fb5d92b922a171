"""What a model may learn from: the masks that it sees, and how much an image of a class counts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from xaibench.core.batch import Batch
from xaibench.core.data import UNCERTAIN, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model, evaluating
from xaibench.core.splits import Split
from xaibench.core.supervision import Supervision
from xaibench.setup.several import labels_of

_NOTED = frozenset({"labels", "masks"})


def masks_for(model: Model, split: Split) -> frozenset[str]:
    """Return the training and validation samples whose masks a model learns from.

    Raises:
        XaibenchError: it only segments, and there is none to train on or to choose an epoch by.
    """
    seen = split.seen
    if model.all_masks:
        seen = frozenset(s.id for s in (*split.train, *split.validation) if s.annotated)
    declared = model.supervision
    draws = {"class_maps", "saliency"} & model.abilities and not model.classifies
    if draws and (declared is None or declared.localizes):
        for part in (split.train, split.validation):
            if not any(sample.id in seen for sample in part):
                there = any(sample.annotated for sample in part)
                raise XaibenchError(
                    "a segmentation network needs masks to train on and to choose its epoch by, "
                    + (
                        "and none may be seen; raise --mask-fraction."
                        if there
                        else "and there are none; take another dataset, or leave the model out."
                    )
                )
    return seen


def visible(
    masks: Tensor, samples: Sequence[Sample], seen: frozenset[str], *, boxes_only: bool
) -> Tensor:
    """Return what a model is handed of the masks ``(B, H, W)``: nothing of those it may not see.

    Args:
        masks: int8 grades.
        samples: whose they are.
        seen: ids of those whose masks may be seen.
        boxes_only: of these it is handed the filled boxes around their regions.
    """
    shown = torch.tensor([sample.id in seen for sample in samples])
    handed = masks * shown[:, None, None]
    if boxes_only:
        for mask in handed.numpy():
            regions, _ = ndimage.label(mask > 0, np.ones((3, 3)))
            for box in ndimage.find_objects(regions):
                mask[box] = np.maximum(mask[box], 1)
    return handed


def known_masks(samples: Sequence[Sample], seen: frozenset[str]) -> Tensor:
    """Return of which classes a seen mask says where they show, or that they don't, ``(B, K)``.

    Nothing is known of a class that nobody has drawn, or that is uncertain.
    """
    return torch.tensor(
        [
            [s.id in seen and c.annotated and c.label != UNCERTAIN for c in s.class_labels]
            for s in samples
        ]
    )


@dataclass
class WatchedBatch(Batch):
    """A batch that notes which annotation the loss reads; masks only where one may be seen."""

    read: set[str] = field(default_factory=set)

    def __getattribute__(self, name: str) -> object:
        """Return an attribute, and note it."""
        own = super().__getattribute__
        new = name in _NOTED and name not in own("read")
        if new and (name == "labels" or bool(own("masked").any())):
            own("read").add(name)
        return own(name)


def reads_masks(model: Model, blank: Tensor) -> bool:
    """Whether a model's loss reads masks, where it is given any.

    Args:
        model: left as it is.
        blank: an image ``(1, 3, H, W)`` of the size that it takes.
    """
    images, marked = blank.repeat(2, 1, 1, 1), torch.ones(2, *blank.shape[2:], dtype=torch.int8)
    labels, seen = torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.bool)
    if model.output_form is not None and model.output_form.separate:
        labels = labels[:, None].expand(2, model.class_count or 1)
    batch = WatchedBatch(images, labels, marked, seen, 2, 2)
    with evaluating(model), torch.no_grad():
        model.loss(batch)
    return "masks" in batch.read


def learned_from(model: Model, split: Split, read: set[str], mask_fraction: float) -> Supervision:
    """Return what a training has used: of all that its loss read the strongest.

    Args:
        model: the share of one that takes all masks is 1.
        split: where what may be seen are boxes alone, these were used.
        read: by `WatchedBatch`.
        mask_fraction: of the run.
    """
    if "masks" not in read:
        return Supervision("labels" if "labels" in read else "none")
    seen = masks_for(model, split)
    drawn = any(s.masks for s in (*split.train, *split.validation) if s.id in seen)
    drawn = drawn and not model.boxes_only
    return Supervision("masks" if drawn else "boxes", 1.0 if model.all_masks else mask_fraction)


def weigh_classes(split: Split, classes: int) -> Tensor:
    """Return ``(K,)`` weights for ``--class-weighting balanced``.

    A class weighs one minus its share of the training images: of two classes, the other's share.
    Where images may show several, its share is that of the images of which it is known.
    """
    labels = labels_of(split.train)
    if labels.ndim > 1:
        known = (labels != UNCERTAIN).sum(dim=0).clamp(min=1)
        return 1 - (labels == 1).sum(dim=0) / known
    return 1 - labels.bincount(minlength=classes) / len(labels)
