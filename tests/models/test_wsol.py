"""Classifiers from which something is hidden in training."""

import pytest
import torch
from torch import nn
from training_data import NAMES, batch_of, gradients

from xaibench.core.batch import cross_entropy
from xaibench.core.networks import erasing
from xaibench.core.networks.erasing import CutMix, drop_attended, hide_patches, mix_in
from xaibench.core.networks.pyramid import Pyramid
from xaibench.models.wsol import ComplementaryLearners, Wsol

CLASSES = len(NAMES)


def build(training, kind=Wsol):
    torch.manual_seed(0)
    stages = [
        nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU())
        for before, after in ((3, 4), (4, 5), (5, 6))
    ]
    told = {} if kind is ComplementaryLearners else {"training_by": training}
    return kind(Pyramid(*stages), channels=6, classes=CLASSES, **told)


def test_each_square_of_the_grid_is_whole_or_the_mean():
    torch.manual_seed(3)
    images, mean = torch.rand(2, 3, 40, 56), torch.tensor([0.2, 0.4, 0.6])[:, None, None]
    found = hide_patches(images, mean)
    hidden = 0
    for image, seen in zip(images, found, strict=True):
        for row in range(0, 40, 5):
            for column in range(0, 56, 7):
                part = (slice(None), slice(row, row + 5), slice(column, column + 7))
                gone = torch.equal(seen[part], mean.expand(3, 5, 7))
                assert gone or torch.equal(seen[part], image[part])
                hidden += gone
    assert 40 < hidden < 88  # of 128
    assert not torch.equal(found[0] == images[0], found[1] == images[1])


def test_what_is_attended_to_most_is_dropped_or_all_is_weighed(monkeypatch):
    activations = torch.tensor([[[[4.0, 1.0, 3.8], [0.0, 2.0, 3.0]], [[2.0, 1.0, 1.6], [0, 2, 3]]]])
    attention = torch.tensor([[3.0, 1.0, 2.7], [0.0, 2.0, 3.0]])
    monkeypatch.setattr(erasing, "_DROPPED", 1.0)
    kept = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])  # below 0.9 * 3
    assert torch.equal(drop_attended(activations), activations * kept)
    monkeypatch.setattr(erasing, "_DROPPED", 0.0)
    torch.testing.assert_close(drop_attended(activations), activations * attention.sigmoid())


def test_a_box_of_another_image_brings_its_share_of_the_label():
    torch.manual_seed(1)
    images = batch_of([False] * 3).images
    boxes = [CutMix.drawn(images) for _ in range(200)]
    shares = torch.tensor([each.kept for each in boxes])
    assert 0.5 < shares.mean() < 0.75  # half is cut off, but for what lies outside the image
    mixed = next(each for each in boxes if each.order[0] != 0 and 0.3 < each.kept < 0.7)
    found = mix_in(images, mixed)
    changed = (found[0] != images[0]).any(dim=0)
    assert changed.sum() == round((1 - mixed.kept) * 40 * 56)
    assert torch.equal(found[0][:, changed], images[mixed.order[0]][:, changed])


def test_the_loss_of_mixed_images_is_that_of_both_labels():
    model, batch = build("cutmix"), batch_of([False] * 3)
    torch.manual_seed(5)
    found = model.loss(batch)["loss"]
    torch.manual_seed(5)
    mixed = CutMix.drawn(batch.images)
    logs = model.outputs(mix_in(batch.images, mixed)).logits.log_softmax(dim=1)
    first = -logs[range(3), batch.labels].mean()
    second = -logs[range(3), batch.labels[mixed.order]].mean()
    torch.testing.assert_close(found, mixed.kept * first + (1 - mixed.kept) * second)


def test_attention_is_dropped_behind_both_last_stages(monkeypatch):
    monkeypatch.setattr(erasing, "_DROPPED", 1.0)
    model, batch = build("adl"), batch_of([False] * 2)
    first, second, third = model.trunk
    seen = drop_attended(second(first(model.normalize(batch.images))))
    logits = model.classify(drop_attended(third(seen)))
    torch.testing.assert_close(model.loss(batch)["loss"], cross_entropy(logits, batch))


@pytest.mark.parametrize("training", ["has", "adl", "cutmix"])
def test_nothing_is_hidden_after_training(training):
    model, batch = build(training).eval(), batch_of([True, True])
    found = model.loss(batch)["loss"]
    torch.testing.assert_close(found, cross_entropy(model.outputs(batch.images).logits, batch))


def test_the_second_head_sees_nothing_of_where_the_first_one_looks():
    model, batch = build("", ComplementaryLearners), batch_of([False] * 2)
    activations = model.trunk(model.normalize(batch.images))
    scores = model.head(activations)

    def stretched(scores, classes):
        maps = scores[range(2), classes]
        lowest, highest = maps.amin(dim=(1, 2)), maps.amax(dim=(1, 2))
        return (maps - lowest[:, None, None]) / (highest - lowest)[:, None, None]

    kept = (stretched(scores, batch.labels) <= 0.6).float()
    logits = model.second(activations * kept[:, None]).mean(dim=(2, 3))
    both = cross_entropy(scores.mean(dim=(2, 3)), batch) + cross_entropy(logits, batch)
    torch.testing.assert_close(model.loss(batch)["loss"], both)

    predicted = scores.mean(dim=(2, 3)).argmax(dim=1)
    first = stretched(scores, predicted)
    rest = model.second(activations * (first <= 0.6)[:, None])
    outputs = model.outputs(batch.images, saliency=True)
    torch.testing.assert_close(outputs.saliency, first.maximum(stretched(rest, predicted)))
    assert all(each.abs().sum() > 0 for each in gradients(model, batch).values())
