"""What a training is said to have learned from is what changes it, and hidden masks never do."""

from dataclasses import replace

import pytest
import torch

from xaibench.core.loading import Loader
from xaibench.core.registry import bind
from xaibench.setup.options import make_options
from xaibench.setup.selection import Selection
from xaibench.training.train import Trainer

NET = "backbone=squeezenet1_1"
LABELS = (
    *(f"saliency_net[{NET},weight=0]", f"guided[{NET},weight=0]"),
    *(f"abn[{NET}]", f"frozen_head[{NET}]", f"wsol[{NET},training=acol]"),
)
MASKS = (
    *(f"saliency_net[{NET}]", f"saliency_net[{NET},mask_head=unet]"),
    f"saliency_net[{NET},mask_head=unet,unlabeled=pseudo]",
    *(f"guided[{NET}]", f"guided[{NET},loss=energy_dice]", f"unet[{NET},masks=budget]"),
)
BOXES = (f"guided[{NET},by=boxes]",)


class Altered(Loader):
    """Shows other masks of some images."""

    def __init__(self, loader, alter, chosen):
        self.__dict__, self.alter, self.chosen = dict(loader.__dict__), alter, chosen

    def load(self, sample):
        shown = super().load(sample)
        return shown._replace(mask=self.alter(shown.mask)) if self.chosen(sample.id) else shown


def mirrored(mask):
    return mask[::-1, ::-1].copy()


def boxed(mask):
    (rows,), (columns,) = (mask.any(axis=axis).nonzero() for axis in (1, 0))
    other = mask.copy()
    other[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 1
    return other


def nobody(_sample):
    return False


def everybody(_sample):
    return True


@pytest.fixture(scope="module")
def selection():
    given = {"dataset": "phantom[images=20]", "image_size": 48, "train_batch_size": 16,
             "weights": "none", "epochs": 1, "ema": 0.5}  # fmt: skip
    return Selection(make_options(given, {}))


@pytest.fixture(scope="module")
def seen(selection):
    """Every second image's mask, of training and of validation."""
    split = selection.split(0)
    return frozenset(each.id for part in (split.train, split.validation) for each in part[::2])


def learn(selection, seen, spec, alter=mirrored, chosen=nobody):
    """Train a network for an epoch; return its weights and what it is said to have learned from."""
    split, model = replace(selection.split(0), seen=seen), selection.build(bind("model", spec), 0)
    trainer = Trainer(model, Altered(selection.loader, alter, chosen), split, selection.options,
                      seed=0, device=torch.device("cpu"))  # fmt: skip
    trainer._epoch(0)
    return model.state_dict(), (model.supervision or trainer.supervision).kind


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_marks_say_what_changes_a_training_and_hidden_masks_change_none(selection, seen):
    wrong = []
    for spec in (*LABELS, *MASKS, *BOXES):
        kind = "labels" if spec in LABELS else "boxes" if spec in BOXES else "masks"
        weights, mark = learn(selection, seen, spec)
        others, _ = learn(selection, seen, spec, chosen=everybody)
        found = {"mark": mark == kind, "masks": same(weights, others) == (kind == "labels")}
        if kind != "labels":
            hidden, _ = learn(selection, seen, spec, chosen=lambda sample: sample not in seen)
            found["hidden masks"] = same(weights, hidden)
        if kind == "boxes":
            boxes, _ = learn(selection, seen, spec, boxed, everybody)
            found["boxes"] = same(weights, boxes)
        wrong += [f"{spec}: {what}" for what, right in found.items() if not right]
    assert wrong == []


@pytest.mark.slow
def test_without_a_mask_to_see_labels_alone_are_what_was_learned_from(selection):
    taught = [spec for spec in (*MASKS, *BOXES) if not spec.startswith("unet")]
    marks = {spec: learn(selection, frozenset(), spec)[1] for spec in taught}
    assert marks == dict.fromkeys(taught, "labels")
