"""Images that may show several classes: which are explained, and what of a run needs one label."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from xaibench.core.data import Dataset, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model
from xaibench.core.plugin import Bound
from xaibench.core.spec import split_names
from xaibench.core.suggest import did_you_mean
from xaibench.setup.options import RunOptions

AUTO, LABEL, PREDICTED, ALL = "auto", "label", "predicted", "all"
EACH = "each"
"""The target of metrics where every explained class of an image has a map and scores of its own."""
_ONE_LABEL = frozenset({"training_labels", "training_masks", "class_maps"})


def check_target(target: str, dataset: Dataset, *, judged: bool) -> None:
    """Refuse a ``--target`` that the dataset's images don't have.

    Args:
        target: as it was given.
        dataset: of the run.
        judged: whether any model of the run classifies.

    Raises:
        XaibenchError: it names classes or all of them where an image has one label, a class that
            there isn't, or predictions where nobody predicts.
    """
    if target == PREDICTED and not judged:
        raise XaibenchError(
            "--target predicted: no model of the run classifies; add one, or name one with --judge."
        )
    if target in (AUTO, LABEL, PREDICTED):
        return
    if not dataset.several_labels:
        raise XaibenchError(
            f"--target {target}: images have one label here; choose auto, label or predicted "
            "(classes are for datasets whose images may show several)."
        )
    for name in () if target == ALL else split_names(target):
        if name not in dataset.classes:
            raise XaibenchError(
                f"--target {target}: there is no class '{name}'"
                f"{did_you_mean(name, dataset.classes)}; choose auto, label, predicted, all, or "
                f"some of {', '.join(dataset.classes)}."
            )


def rows_explained(
    target: str,
    classes: Sequence[str],
    samples: Sequence[Sample],
    predicted: Tensor | None,
) -> dict[str, Tensor]:
    """Return of each class in which images it is explained: their rows.

    Args:
        target: ``auto`` and ``label``: the classes that an image shows; ``predicted``: those that
            the model finds in it; ``all`` and names of classes: these in every image.
        classes: of the dataset.
        samples: ``B`` images, with a label for each class.
        predicted: which classes the model finds, bool ``(B, K)``; only for ``predicted``.
    """
    if target == PREDICTED:
        assert predicted is not None
        chosen = predicted
    elif target in (AUTO, LABEL):
        chosen = labels_of(samples) == 1
    else:
        named = classes if target == ALL else split_names(target)
        chosen = torch.tensor([[name in named for name in classes]] * len(samples))
    rows = {name: chosen[:, index].nonzero()[:, 0] for index, name in enumerate(classes)}
    return {name: each for name, each in rows.items() if len(each)}


def labels_of(samples: Sequence[Sample]) -> Tensor:
    """Return labels: ``(B,)``, or where images may show several classes ``(B, K)`` of 1, 0, -1."""
    if samples and samples[0].class_labels:
        return torch.tensor([[each.label for each in s.class_labels] for s in samples])
    return torch.tensor([sample.label for sample in samples])


def shown_in(samples: Sequence[Sample]) -> Tensor:
    """Return which classes each image shows, or has marked as uncertain, bool ``(B, K)``."""
    return torch.tensor(
        [[c.label == 1 or bool(c.masks or c.boxes) for c in s.class_labels] for s in samples]
    )


def answer_each(model: Model, spec: str) -> None:
    """Read a classifier's logits one by one: the confidence of a class is its logit's sigmoid.

    Raises:
        XaibenchError: its classes share one sum, or its loss takes one label an image.
    """
    form = model.output_form
    if not model.classifies or form is None:
        return
    if form.single or (form.probabilities and not form.separate):
        raise XaibenchError(
            f"model {spec}: an image may show several classes here, but its confidences sum to 1 "
            "over them; give it a logit for each class."
        )
    if not model.trained and not model.takes_several_labels:
        raise XaibenchError(
            f"model {spec}: an image may show several classes here, but its loss takes one label; "
            "choose a plain classifier or saliency_net, or declare several_labels = True where "
            "the model's own loss takes labels (B, K)."
        )
    model.output_form = replace(form, separate=True)


def notes_on_several(options: RunOptions, dataset: Dataset) -> list[str]:
    """Return what a plan tells of images that may show several classes."""
    if not dataset.several_labels or not options.dependence:
        return []
    return [
        "dependence on the decision isn't measured where images may show several classes: there is "
        "no runner-up; compare two classes of an image with --target all instead"
    ]


def refuse_several(dataset: Dataset, what: str) -> None:
    """Refuse what needs one label an image.

    Raises:
        XaibenchError: images may show several classes.
    """
    if dataset.several_labels:
        raise XaibenchError(
            f"{what} needs images with one label, and here an image may show several classes; "
            "choose a dataset (or objects=largest) with one."
        )


def why_one_label(dataset: Dataset, method: Bound) -> str | None:
    """Return why a method can't explain images that may show several classes; None if it can."""
    if not dataset.several_labels:
        return None
    asked = set(method.plugin.asked) & _ONE_LABEL
    if asked or method.plugin.fit:
        return "it learns from one label an image, and here an image may show several"
    return None
