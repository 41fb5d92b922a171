"""The networks for digits and radiographs: their sizes, and whether they learn."""

import re

import numpy as np
import pytest
import torch

from xaibench.core.batch import Batch
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.head import find_head
from xaibench.core.registry import bind
from xaibench.setup.building import ModelWords

NAMES = ["small_alexnet", "small_resnet", "small_vgg", "scratch_cnn"]
CLASSES = 5


def build(spec):
    torch.manual_seed(0)
    return bind("model", spec)(ModelWords(tuple("abcde"), 32))


def batch(seed):
    """Noise with bright stripes that are the nearer the smaller the label."""
    random = np.random.default_rng(seed)
    images = 0.3 * random.random((20, 3, 30, 34), dtype=np.float32)
    labels = np.arange(20) % CLASSES
    for image, label in zip(images, labels, strict=True):
        image[:, :, random.integers(2) :: label + 2] += 0.6
    masks = torch.zeros(20, 30, 34, dtype=torch.int8)
    return Batch(torch.from_numpy(images), torch.from_numpy(labels), masks, torch.zeros(20) > 0,
                 20, 1)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_tells_the_number_of_parameters(name):
    said = re.search(
        r"([\d,]+) parameters, and ([\d,]+) for", bind("model", name).plugin.function.__doc__
    )
    trunk, each = (int(number.replace(",", "")) for number in said.groups())
    assert sum(p.numel() for p in build(name).parameters()) == trunk + CLASSES * each


def test_a_small_vgg_can_have_two_fully_connected_layers():
    head = build("small_vgg[hidden=9]").network.classifier
    assert [(layer.in_features, layer.out_features) for layer in head[::2]] == [(1024, 9), (9, 5)]
    with pytest.raises(XaibenchError, match="hidden=-1"):
        build("small_vgg[hidden=-1]")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(28, 28), (33, 61)])
def test_any_size_from_28_pixels_works(name, size):
    model = build(name).eval()
    with torch.no_grad():
        assert model(torch.rand(2, 3, *size)).shape == (2, CLASSES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_learns_to_tell_stripes(name):
    model = build(name).train()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for step in range(15):
        optimizer.zero_grad()
        model.loss(batch(step))["loss"].backward()
        optimizer.step()
    unseen = batch(99)
    with torch.no_grad():
        right = (model.eval()(unseen.images).argmax(dim=1) == unseen.labels).sum()
    assert right >= 15


@pytest.mark.parametrize(
    ("name", "linear"),
    [("small_alexnet", False), ("small_resnet", True), ("small_vgg", False), ("scratch_cnn", True)],
)
def test_cam_is_there_where_pooling_and_one_layer_end_the_network(name, linear):
    weights = find_head(build(name).eval(), torch.rand(1, 3, 32, 48)).weights
    assert (weights is not None) == linear


def test_the_filters_are_those_of_the_four_convolutions():
    model = build("small_vgg[filters=8-10-12-14]")
    layers = [p for p in model.modules() if isinstance(p, torch.nn.Conv2d)]
    assert [(layer.in_channels, layer.out_channels) for layer in layers] == [
        (3, 8), (8, 10), (10, 12), (12, 14)
    ]  # fmt: skip
    assert bind("model", "small_vgg[filters=32-32-64-64]").spec == "small_vgg"


@pytest.mark.parametrize("filters", ["16-16", "16-16-0-16", "8-8-8-8-8"])
def test_other_numbers_of_filters_are_refused(filters):
    with pytest.raises(XaibenchError, match=rf"^small_vgg\[filters={filters}\]: give four"):
        build(f"small_vgg[filters={filters}]")
