import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional
from training_data import NAMES, batch_of, gradients

from xaibench.core.batch import cross_entropy
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import finish
from xaibench.core.networks.guidance import OF_CELLS, OF_PIXELS, energy, energy_dice
from xaibench.models.guided import Guided, guided

CLASSES, CHANNELS = len(NAMES), 6


def build(loss="energy", *, weight=1.0, boxes_only=False):
    torch.manual_seed(0)
    trunk = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(4, CHANNELS, 3, stride=2, padding=1), nn.ReLU(),
    )  # fmt: skip
    model = Guided(trunk, channels=CHANNELS, classes=CLASSES, guidance=loss, weight=weight,
                   boxes_only=boxes_only)  # fmt: skip
    model.head.weight.data.abs_()
    return model


def by_hand(loss, cam, marked):
    """Return a guidance of one map, cell by cell."""
    cells = [(float(a), float(m)) for a, m in zip(cam.flatten(), marked.flatten(), strict=True)]
    top, fullest = max(a for a, _ in cells), max(m for _, m in cells)
    if loss not in ("l1", "dice"):
        cells = [(a, float(m >= fullest / 2)) for a, m in cells]
    if loss == "rrr":
        return sum((a / top * (1 - m)) ** 2 for a, m in cells)
    if loss == "l1":
        return sum(abs(a / top - m) for a, m in cells) / len(cells)
    if loss == "dice":
        both = 2 * sum(a / top * m for a, m in cells) + 1
        return 1 - both / (sum(a / top + m for a, m in cells) + 1)
    if loss == "res":
        return res_by_hand(cam / top, marked >= fullest / 2)
    logs = [-m * float(torch.tensor(max(a / top, 1e-6)).log()) for a, m in cells]
    return sum(logs) / sum(m for _, m in cells)


def res_by_hand(relative, inside):
    """Return RES of one map: the best of all cuts by search, the blur by scipy."""
    cells = list(zip(relative.flatten().tolist(), inside.flatten().tolist(), strict=True))
    count = sum(m for _, m in cells)

    def fit(cut):
        hits = sum(m and a >= cut for a, m in cells) / count
        return hits + sum(not m and a < cut for a, m in cells) / (len(cells) - count)

    cut = max((a for a, _ in cells), key=fit)
    beside = sum(abs(math.tanh(5 * (a - cut)) - (1 if m else -1)) for a, m in cells) / len(cells)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    blurred = ndimage.convolve(inside.double().numpy(), kernel, mode="nearest")
    return beside + float(np.abs(relative.numpy() - blurred / blurred.max()).mean())


def cams(model, batch):
    """Return Grad-CAM's map of each image by autograd, of either sign."""
    activations = model.trunk(model.normalize(batch.images)).detach().requires_grad_()
    logits = model.classify(activations)
    logits.gather(1, batch.labels[:, None]).sum().backward()
    weights = activations.grad.sum(dim=(2, 3))
    return (weights[:, :, None, None] * activations).sum(dim=1).detach()


@pytest.mark.parametrize("loss", [*OF_CELLS, *OF_PIXELS])
def test_the_loss_adds_what_the_maps_of_seen_images_cost(loss):
    model, batch = build(loss, weight=0.3), batch_of([True, False, True])
    marked = (batch.masks > 0).float()
    # Cells of 4 x 4 pixels.
    shares = marked.reshape(3, 10, 4, 14, 4).mean(dim=(2, 4))
    maps = cams(model, batch)
    if loss in OF_PIXELS:
        cost = float(OF_PIXELS[loss](maps[[0, 2]], marked[[0, 2]]).mean())
    else:
        cost = sum(by_hand(loss, maps[row].relu(), shares[row]) for row in (0, 2)) / 2
    logits = model.outputs(batch.images).logits
    found = model.loss(batch)
    torch.testing.assert_close(found["guidance"].item(), cost, rtol=1e-4, atol=1e-5)
    expected = cross_entropy(logits, batch) + 0.3 * cost
    torch.testing.assert_close(found["loss"], expected, rtol=1e-4, atol=1e-5)


def test_mining_asks_that_nothing_is_left_without_what_the_map_shows():
    model, batch = build("gain"), batch_of([False, True])
    maps = cams(model, batch).relu()
    relative = maps / maps.amax(dim=(1, 2), keepdim=True)
    enlarged = functional.interpolate(relative[:, None], (40, 56), mode="bilinear")
    rest = batch.images * (1 - (10 * (enlarged - 0.5)).sigmoid())
    confidences = model.outputs(rest).logits.softmax(dim=1)
    sure = sum(confidences[row, batch.labels[row]] for row in range(2)) / 2
    shares = functional.avg_pool2d((batch.masks[1:] > 0).float(), 4)
    squares = (relative[1:] - shares).square().mean()
    torch.testing.assert_close(model.loss(batch)["guidance"], sure + 10 * squares)


def oval(height, width):
    """Return a mask that lies aside, ``(1, H, W)``."""
    y, x = np.mgrid[:height, :width]
    inside = ((y - 0.6 * height) / 9) ** 2 + ((x - 0.3 * width) / 13) ** 2 < 1
    return torch.from_numpy(inside).float()[None]


def test_energy_of_one_map_by_hand():
    marked, cam = oval(40, 56), torch.randn(1, 5, 7, generator=torch.Generator().manual_seed(2))
    soft = torch.from_numpy(np.log1p(np.exp(cam.double().numpy())))
    enlarged = functional.interpolate(soft[None], (40, 56), mode="bilinear")[0, 0].numpy()
    outside = enlarged[marked[0].numpy() == 0].sum() / enlarged.sum()
    assert 0.7 < outside < 1
    assert energy(cam, marked).item() == pytest.approx(outside, rel=1e-5)


def test_energy_and_dice_of_one_map_by_hand():
    marked, cam = oval(40, 56), torch.randn(1, 5, 7, generator=torch.Generator().manual_seed(2))
    soft = np.log1p(np.exp(cam[0].double().numpy()))
    shares = marked[0].double().numpy().reshape(5, 8, 7, 8).mean(axis=(1, 3))
    outside = soft[shares < shares.max() / 2].sum() / soft.sum()
    enlarged = functional.interpolate(
        torch.from_numpy(soft)[None, None], (40, 56), mode="bilinear"
    )[0, 0].numpy()
    relative = (enlarged - enlarged.min()) / np.ptp(enlarged)
    cut = 1 / (1 + np.exp(-10 * (relative - 0.5)))
    truth = marked[0].numpy()
    overlap = (2 * (cut * truth).sum() + 1) / (cut.sum() + truth.sum() + 1)
    assert energy_dice(cam, marked).item() == pytest.approx(outside + 1 - overlap, rel=1e-5)


@pytest.mark.parametrize(("loss", "least"), [(energy, 0.5), (energy_dice, 0.6)])
def test_a_map_that_is_positive_nowhere_learns_to_lie_on_the_mask(loss, least):
    marked = oval(40, 56)
    cam = torch.full((1, 5, 7), -1.0, requires_grad=True)
    optimizer = torch.optim.Adam([cam], 0.2)
    for _ in range(40):
        optimizer.zero_grad()
        loss(cam, marked).sum().backward()
        optimizer.step()
    found = finish(cam.detach(), (40, 56))[0] >= 0.5
    both, either = (found & (marked > 0)).sum(), (found | (marked > 0)).sum()
    assert both / either > least


@pytest.mark.parametrize("loss", [*OF_CELLS, *OF_PIXELS])
def test_without_a_seen_mask_labels_alone_teach(loss):
    model, batch = build(loss), batch_of([False, False])
    first = gradients(model, batch)
    assert torch.isnan(model.loss(batch)["guidance"])
    model.zero_grad()
    cross_entropy(model.outputs(batch.images).logits, batch).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(first[name], parameter.grad)


@pytest.mark.parametrize("loss", [*OF_CELLS, *OF_PIXELS, "gain"])
def test_an_empty_mask_guides_nothing_and_gradients_stay_finite(loss):
    model, batch = build(loss), batch_of([True, True])
    batch.masks[0] = 0
    assert all(each.isfinite().all() for each in gradients(model, batch).values())
    model.head.weight.data.fill_(-1)  # no positive evidence anywhere
    assert all(each.isfinite().all() for each in gradients(model, batch).values())


def test_a_negative_weight_is_refused():
    with pytest.raises(XaibenchError, match="'weight' can't be negative"):
        guided(2, "none", backbone="resnet18", weight=-1)
