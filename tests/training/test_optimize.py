"""The recipes of the five systems: optimizers, schedules, class weights, chosen augmentations."""

import math

import pytest
import torch
from torch import nn

from xaibench.core import fingerprints
from xaibench.core.augment import augment
from xaibench.core.batch import Batch, cross_entropy
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier
from xaibench.core.recipe import AUGMENTATIONS, read_schedule
from xaibench.core.splits import make_split
from xaibench.setup.cells import Ledger
from xaibench.setup.options import make_options
from xaibench.setup.selection import Selection
from xaibench.training.optimize import LearningRate, make_optimizer
from xaibench.training.train import Trainer

CPU = torch.device("cpu")


def network(*, pretrained=False):
    layers = nn.Sequential(
        nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)
    )
    return Classifier(layers, cam_layer="0", pretrained=pretrained)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("constant", [8, 8, 8, 8, 8]),
        ("step:2:0.5", [8, 8, 4, 4, 2]),
        ("exponential:0.5", [8, 4, 2, 1, 0.5]),
        ("cosine", [4 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(4)]),
    ],
)
def test_the_rate_falls_as_the_schedule_says(text, rates):
    optimizer = make_optimizer("sgd", network(), 8)
    schedule = LearningRate(text, optimizer, epochs=len(rates), steps=2)
    seen = []
    for _ in rates:
        seen.append(optimizer.param_groups[0]["lr"])
        for _ in range(2):
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch()
    assert seen == pytest.approx(rates)


@pytest.mark.parametrize(
    "text",
    [
        *("exponential:1.5", "step", "step:0:0.1", "step:7", "step:7:0", "step:7:0.1:3"),
        *("exponential:x", "exponential", "constant:1", "cosine:3"),
    ],
)
def test_a_schedule_that_can_not_be_read_is_told(text):
    with pytest.raises(XaibenchError, match=rf"^--schedule {text}: write constant"):
        read_schedule(text)


def test_fresh_layers_of_pretrained_networks_learn_faster_and_frozen_ones_not_at_all():
    model = network(pretrained=True)
    model.network[0].requires_grad_(requires_grad=False)
    groups = make_optimizer("rmsprop", model, 1e-3).param_groups
    assert [(len(group["params"]), group["lr"]) for group in groups] == [(2, 1e-2)]
    assert [g["lr"] for g in make_optimizer("adam", network(), 1e-3).param_groups] == [1e-3, 1e-3]


def test_momentum_is_that_of_the_published_recipe():
    assert make_optimizer("sgd", network(), 1).defaults["momentum"] == 0.9


def test_a_model_is_trained_again_where_the_code_of_its_optimizer_changed(tmp_path, monkeypatch):
    selection = Selection(make_options({"dataset": "phantom[images=40]", "out": str(tmp_path)}, {}))
    before = Ledger(selection, 0, selection.models[0], 0).model_fingerprint
    read = fingerprints._read
    edited = "optimize.py"
    monkeypatch.setattr(
        fingerprints, "_read", lambda path: ("edited", ()) if path.name == edited else read(path)
    )
    fingerprints.code_of.cache_clear()
    try:
        assert Ledger(selection, 0, selection.models[0], 0).model_fingerprint != before
    finally:
        fingerprints.code_of.cache_clear()


def test_balanced_weights_are_the_published_ones(tmp_path):
    # 30 benign, 10 malignant of 40: w+ = N / (P + N) = 0.75.
    given = {"dataset": "phantom[images=40,balance=0.25]", "class_weighting": "balanced",
             "image_size": 32, "out": str(tmp_path)}  # fmt: skip
    selection = Selection(make_options(given, {}))
    model = network()
    trainer = Trainer(
        model, selection.loader, selection.split(0), selection.options, seed=0, device=CPU
    )
    weights = trainer.feed.class_weights
    assert weights.tolist() == pytest.approx([0.25, 0.75])
    logits = torch.tensor([[0.3, -0.2], [1.0, 2.5], [0.0, -1.0]])
    labels = torch.tensor([0, 1, 1])
    batch = Batch(None, labels, None, None, 3, 1, weights)
    # Binary cross-entropy of the difference of the logits, each term weighed.
    z = logits[:, 1] - logits[:, 0]
    y = labels.float()
    by_hand = -(0.75 * y * z.sigmoid().log() + 0.25 * (1 - y) * (-z).sigmoid().log()).mean()
    torch.testing.assert_close(cross_entropy(logits, batch), by_hand)


@pytest.mark.slow
def test_the_history_averages_a_part_of_the_loss_over_the_batches_that_have_it(tmp_path):
    # Of 38 training images in steps of 2 one has a mask: most steps know nothing of the part.
    given = {"dataset": "phantom[images=48]", "mask_fraction": 0.04, "image_size": 32,
             "train_batch_size": 2, "learning_rate": 1e-9, "augmentation": "none",
             "weights": "none", "models": "saliency_net[backbone=squeezenet1_1,loss=l1]",
             "out": str(tmp_path)}  # fmt: skip
    selection = Selection(make_options(given, {}))
    model = selection.build(selection.models[0], seed=0)
    split = selection.split(0)
    trainer = Trainer(model, selection.loader, split, selection.options, seed=0, device=CPU)
    row = trainer._epoch(0)
    found = [
        model.train().loss(batch) for batch in trainer.feed.training(0, None) if batch.masked.any()
    ]
    assert 0 < len(found) < len(split.train) / 8
    expected = sum(losses["localization"].item() for losses in found) / len(found)
    assert row["train_localization"] == pytest.approx(expected, rel=0.01)
    assert row["train_loss"] < row["train_cross_entropy"] + row["train_localization"] / 2


def test_only_the_chosen_augmentations_happen():
    torch.manual_seed(0)
    images = torch.rand(6, 3, 8, 12)
    masks = torch.randint(0, 2, (6, 8, 12), dtype=torch.int8)
    seeds = range(6)
    same, marked = augment(images, masks, seeds, ("none",))
    assert same is images
    assert marked is masks
    flipped, turned = augment(images, masks, seeds, ("horizontal_flip",))
    mirrored = [not torch.allclose(a, b, atol=1e-4) for a, b in zip(flipped, images, strict=True)]
    assert 0 < sum(mirrored) < 6
    for row, moved in enumerate(mirrored):
        expected = images[row].flip(2) if moved else images[row]
        torch.testing.assert_close(flipped[row], expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(turned[row], masks[row].flip(1) if moved else masks[row])


def test_a_kind_draws_the_same_whatever_else_is_chosen():
    images, masks = torch.rand(3, 3, 8, 12), torch.zeros(3, 8, 12, dtype=torch.int8)
    whole, _ = augment(images, masks, range(3))
    again, _ = augment(images, masks, range(3), AUGMENTATIONS)
    torch.testing.assert_close(whole, again)
    colored, _ = augment(images, masks, range(3), ("color",))
    assert not torch.allclose(colored, images)
    gray_once = augment(images.mean(dim=1, keepdim=True).repeat(1, 3, 1, 1), masks, range(3))[0]
    assert torch.allclose(gray_once[:, 0], gray_once[:, 1], atol=1e-5)


def samples_of(dataset):
    return Selection(make_options({"dataset": dataset}, {})).dataset.samples


def test_a_smaller_share_of_the_training_images_is_part_of_every_larger_one():
    samples = samples_of("phantom[images=80]")
    whole = make_split(samples, "holdout", 0, mask_fraction=0.5)
    some = make_split(samples, "holdout", 0, mask_fraction=0.5, train_fraction=0.5)
    few = make_split(samples, "holdout", 0, mask_fraction=0.5, train_fraction=0.1)
    assert {s.id for s in few.train} < {s.id for s in some.train} < {s.id for s in whole.train}
    assert len(some.train) == len(whole.train) / 2
    assert few.test == some.test == whole.test
    assert few.validation == whole.validation
    assert {s.label for s in few.train} == {0, 1}
