"""What a model may learn from: the masks that it sees, and how much an image of a class counts."""

import torch
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model
from xaibench.core.splits import Split


def masks_for(model: Model, split: Split) -> frozenset[str]:
    """Return the training and validation samples whose masks a model learns from.

    Raises:
        XaibenchError: it only segments, and there is none to train on or to choose an epoch by.
    """
    seen = split.seen
    if model.all_masks:
        seen = frozenset(s.id for s in (*split.train, *split.validation) if s.annotated)
    if "class_maps" in model.abilities and not model.classifies:
        for part in (split.train, split.validation):
            if not any(sample.id in seen for sample in part):
                there = any(sample.annotated for sample in part)
                raise XaibenchError(
                    "a segmentation network needs masks to train on and to choose its epoch by, "
                    + ("and none may be seen; raise --mask-fraction." if there else
                       "and there are none; take another dataset, or leave the model out.")
                )  # fmt: skip
    return seen


def weigh_classes(split: Split, classes: int) -> Tensor:
    """Return ``(K,)`` weights for ``--class-weighting balanced``.

    A class weighs one minus its share of the training images: of two classes, the other's share.
    """
    labels = torch.tensor([sample.label for sample in split.train])
    return 1 - labels.bincount(minlength=classes) / len(labels)
