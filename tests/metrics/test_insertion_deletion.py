"""Insertion and deletion: against a reference in numpy, and against Quantus where it is there."""

import json
import os
import subprocess

import numpy as np
import pytest
import torch

from xaibench.core.baselines import baseline_of
from xaibench.core.errors import XaibenchError
from xaibench.metrics.deletion import deletion
from xaibench.metrics.insertion import insertion

COUNT, HEIGHT, WIDTH = 3, 7, 11
QUANTUS = "XAIBENCH_QUANTUS_PYTHON"
# What Quantus leaves out: the whole image, and dividing by the number of steps.
PIXEL_FLIPPING = """
import json, sys
import numpy as np, quantus, torch
stored = np.load(sys.argv[1])
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(77, 3, bias=False))
network[1].weight.data = torch.from_numpy(stored["weights"])
flipping = quantus.PixelFlipping(features_in_step=7, perturb_baseline=0.0, normalize=False,
                                 disable_warnings=True)
curves = flipping(network.eval(), stored["images"], stored["targets"], stored["maps"][:, None],
                  channel_first=True, softmax=True)
print(json.dumps(np.array(curves).tolist()))
"""


def case(channels=3):
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(COUNT, channels, HEIGHT, WIDTH, generator=generator)
    maps = torch.rand(COUNT, HEIGHT, WIDTH, generator=generator)
    weights = torch.randn(3, channels * HEIGHT * WIDTH, generator=generator) / 2
    return images, maps, torch.tensor([2, 0, 1]), weights


def asked(weights):
    return lambda images: (images.flatten(1) @ weights.T).softmax(dim=1)


def area_by_hand(before, after, values, target, weights, steps):
    """Exchange pixels one by one and measure wherever a step ends."""
    height, width = values.shape
    order = sorted((-values[row, column], row, column) for row in range(height)
                   for column in range(width))  # fmt: skip
    ends = [round(step * height * width / steps) for step in range(steps + 1)]
    seen, places, heights = before.copy(), [], []
    for done in range(height * width + 1):
        if done:
            _, row, column = order[done - 1]
            seen[:, row, column] = after[:, row, column]
        for _ in range(ends.count(done)):
            logits = weights @ seen.ravel()
            exponents = np.exp(logits - logits.max())
            places.append(done / (height * width))
            heights.append(exponents[target] / exponents.sum())
    return sum(
        (right - left) * (first + second) / 2
        for left, right, first, second in zip(
            places, places[1:], heights, heights[1:], strict=False
        )
    )


@pytest.mark.parametrize("steps", [1, 6, 77, 200])
@pytest.mark.parametrize("baseline", ["black", "mean", "blur"])
@pytest.mark.parametrize("metric", [insertion, deletion])
def test_the_area_is_that_of_pixels_exchanged_one_by_one(metric, baseline, steps):
    images, maps, targets, weights = case()
    maps = (maps * 5).round() / 5  # ties, and many of them
    bare = baseline_of(images, baseline)
    ends = (bare, images) if metric is insertion else (images, bare)
    expected = [
        area_by_hand(*(end[row].double().numpy() for end in ends), maps[row].numpy(),
                     targets[row].item(), weights.double().numpy(), steps)
        for row in range(COUNT)
    ]  # fmt: skip
    found = metric(maps, images, targets, asked(weights), steps=steps, baseline=baseline)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("share", [0.06, 0.5, 0.0])
@pytest.mark.parametrize("steps", [4, 50])
def test_a_map_of_zeros_but_for_a_few_loses_exactly_the_nominal_fraction(share, steps):
    images = torch.ones(2, 1, 40, 60)
    maps = torch.rand(2, 40, 60, generator=torch.Generator().manual_seed(2))
    hot = maps > 1 - share
    maps[~hot] = 0.0
    gone = []

    def predict(seen):
        gone.append((seen == 0)[:, 0])
        return torch.full((len(seen), 1), 0.5)

    values = deletion(maps, images, torch.zeros(2).long(), predict, steps=steps)
    assert values.tolist() == [0.5, 0.5]
    gone = torch.cat(gone).view(steps + 1, 2, 40, 60)
    for step, (taken, before) in enumerate(zip(gone, [gone[0], *gone], strict=False)):
        assert taken.sum(dim=(1, 2)).tolist() == [round(step / steps * 2400)] * 2
        assert not (before & ~taken).any()
        # All that is hot goes first.
        assert (taken & hot).sum() == torch.minimum(taken.sum((1, 2)), hot.sum((1, 2))).sum()


def test_equal_pixels_go_in_reading_order():
    images = torch.ones(1, 1, 2, 3)
    firsts = []

    def predict(seen):
        firsts.extend((seen[:, 0] == 0).flatten(1).sum(dim=0).tolist())
        return torch.ones(len(seen), 1)

    deletion(torch.zeros(1, 2, 3), images, torch.zeros(1).long(), predict, steps=6)
    assert firsts == [6, 5, 4, 3, 2, 1]  # how long each pixel was gone


def test_few_images_are_held_at_once_and_each_is_seen_at_every_step():
    images, maps, targets, weights = case()
    sizes = []

    def predict(seen):
        sizes.append(len(seen))
        return asked(weights)(seen)

    insertion(maps, images, targets, predict, steps=100)
    assert max(sizes) <= 64
    assert sum(sizes) == 101 * COUNT


def test_the_truth_beats_its_opposite():
    images = torch.rand(4, 1, 12, 20, generator=torch.Generator().manual_seed(3))
    images[:, :, 2:6, 3:15] = 1
    truth = torch.zeros(4, 12, 20)
    truth[:, 2:6, 3:15] = 1

    def predict(seen):
        confidence = seen[:, 0, 2:6, 3:15].mean(dim=(1, 2))
        return torch.stack([confidence, 1 - confidence], dim=1)

    targets = torch.zeros(4).long()
    for metric, sign in ((insertion, 1), (deletion, -1)):
        right = metric(truth, images, targets, predict, baseline="black")
        wrong = metric(1 - truth, images, targets, predict, baseline="black")
        assert (sign * (right - wrong) > 0.5).all()


@pytest.mark.parametrize("metric", [insertion, deletion])
def test_no_step_is_refused(metric):
    images, maps, targets, weights = case()
    with pytest.raises(XaibenchError, match="steps=0"):
        metric(maps, images, targets, asked(weights), steps=0)


@pytest.mark.skipif(QUANTUS not in os.environ, reason=f"{QUANTUS} names no interpreter")
def test_deletion_is_the_area_under_quantus_pixel_flipping(tmp_path):
    images, maps, targets, weights = case(channels=1)
    arrays = {"images": images, "maps": maps, "targets": targets, "weights": weights}
    np.savez(tmp_path / "case.npz", **{name: value.numpy() for name, value in arrays.items()})
    asking = [os.environ[QUANTUS], "-c", PIXEL_FLIPPING, tmp_path / "case.npz"]
    said = subprocess.run(asking, capture_output=True, text=True, check=True).stdout
    curves = np.array(json.loads(said.splitlines()[-1]))
    whole = asked(weights)(images).gather(1, targets[:, None]).numpy()
    curves = np.concatenate([whole, curves], axis=1)
    expected = (curves[:, 1:] + curves[:, :-1]).sum(axis=1) / 2 / 11
    np.testing.assert_allclose(
        deletion(maps, images, targets, asked(weights), steps=11), expected, atol=1e-6
    )
