"""Masks that are searched for or scored, against plain loops over the network itself."""

import torch
from nets import CLASSES, IMAGES, SEEDS, SIZE, TARGETS, build, close, raw_maps
from torch.nn import functional

from xaibench.core.baselines import baseline_of
from xaibench.core.seeds import BatchGenerator
from xaibench.methods.extremal_perturbation import _enlarge


def chosen(network, images):
    return network(images).gather(1, TARGETS[:, None]).sum()


def activations_of(network):
    return network.features(IMAGES).detach()


def scaled(maps):
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    return (maps - low) / (high - low)


def test_opticam_climbs_as_adam_does_through_the_whole_network():
    network, maps = build("small", inplace=False), None
    maps = activations_of(network)
    weights = torch.zeros(maps.shape[:2], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=0.2)
    for _ in range(4):
        mixed = (weights.softmax(dim=1)[:, :, None, None] * maps).sum(dim=1)
        wide = functional.interpolate(mixed[:, None], SIZE, mode="bilinear")
        optimizer.zero_grad()
        (-chosen(network, IMAGES * scaled(wide))).backward()
        optimizer.step()
    said = (weights.softmax(dim=1)[:, :, None, None] * maps).sum(dim=1).detach()
    close(raw_maps(network, "opticam[steps=4,rate=0.2]", "features"), said)


def test_extremal_perturbation_climbs_through_the_whole_network():
    network, (height, width) = build("small"), SIZE
    values = torch.full((3, 1, 21, 32), 0.5, dtype=torch.float64, requires_grad=True)
    outside = baseline_of(IMAGES, "mean")
    wanted = torch.zeros(height * width, dtype=torch.float64)
    wanted[round(0.8 * height * width) :] = 1
    speed = torch.zeros_like(values)
    for step in range(3):
        mask = _enlarge(values, SIZE)
        missed = (mask.flatten(1).sort(dim=1).values - wanted).square().mean(dim=1).sum()
        logit = chosen(network, mask * IMAGES + (1 - mask) * outside)
        (slope,) = torch.autograd.grad(logit - 300 * 1.0035**step * missed, values)
        with torch.no_grad():
            speed = slope + 0.9 * speed
            values += 0.01 * speed
            values.clamp_(0, 1)
    said = _enlarge(values, SIZE)[:, 0].detach()
    close(raw_maps(network, "extremal_perturbation[area=0.2,steps=3,baseline=mean]"), said)


def test_a_bump_is_the_smooth_maximum_of_what_lies_around():
    values = torch.zeros(1, 1, 15, 15, dtype=torch.float64)
    values[0, 0, 7, 7] = 1
    found = _enlarge(values, (15, 15))[0, 0]
    assert found[7, 7] > 0.9
    assert found[7, 6] > found[7, 4] > found[7, 2]
    torch.testing.assert_close(found, found.mT)


def test_iscam_averages_the_logits_over_growing_masks():
    network, said = build("small", inplace=False), []
    for row, (image, maps) in enumerate(zip(IMAGES, activations_of(network), strict=True)):
        wide = functional.interpolate(maps[None], SIZE, mode="bilinear")[0]
        means = [
            torch.stack(
                [network((image * mask * c)[None])[0, TARGETS[row]] for c in (1 / 3, 1.0, 2.0)]
            ).mean()
            for mask in scaled(wide)
        ]
        weights = torch.stack(means).softmax(dim=0)
        said.append((weights[:, None, None] * maps).sum(dim=0).relu().detach())
    close(raw_maps(network, "iscam[samples=3]", "features"), torch.stack(said))


def test_sscam_averages_the_logits_under_noise():
    network, said = build("small", inplace=False), []
    for row, (image, maps) in enumerate(zip(IMAGES, activations_of(network), strict=True)):
        wide = functional.interpolate(maps[None], SIZE, mode="bilinear")[0]
        drawn = BatchGenerator(SEEDS).normal_copies(row, 0, 3 * len(maps), *SIZE).double()
        means = []
        for number, mask in enumerate(scaled(wide)):
            noisy = mask + 0.5 * drawn[3 * number : 3 * number + 3]
            means.append(network(image * noisy[:, None])[:, TARGETS[row]].mean())
        weights = torch.stack(means).softmax(dim=0)
        said.append((weights[:, None, None] * maps).sum(dim=0).relu().detach())
    close(raw_maps(network, "sscam[samples=3,noise=0.5]", "features"), torch.stack(said))


def test_liftcam_weighs_by_what_each_map_adds_behind_a_relu():
    """Behind ReLU, pooling and one layer a map adds w_d * mean(ReLU(A_d)) to the logit."""
    network = build("small", inplace=False)
    maps = activations_of(network)
    weights = network.classifier.weight[TARGETS] * maps.relu().mean(dim=(2, 3))
    said = (weights[:, :, None, None] * maps).sum(dim=1).relu().detach()
    assert network.classifier.weight.shape[0] == CLASSES
    close(raw_maps(network, "liftcam", "features"), said)
