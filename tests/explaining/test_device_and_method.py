"""`explain` and `score` take a device and a single method or metric by its name."""

import pytest
import torch
from torch import nn

import xaibench


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 3),
    )  # fmt: skip


def test_a_method_may_be_named_alone(network):
    images = torch.rand(2, 3, 8, 11, generator=torch.Generator().manual_seed(1))
    maps = xaibench.explain(network, images, 1, method="sobel", device="cpu")
    assert torch.equal(maps["sobel"], xaibench.explain(network, images, 1, ["sobel"])["sobel"])
    masks = torch.zeros(2, 8, 11, dtype=torch.bool)
    masks[:, 2:5, 3:9] = True
    one = xaibench.score(maps["sobel"], masks, metric="iou")
    assert one.equals(xaibench.score(maps["sobel"], masks, ["iou"]))
    with pytest.raises(xaibench.XaibenchError, match="methods= or method=, not both"):
        xaibench.explain(network, images, methods=["sobel"], method="center")


def test_a_model_elsewhere_is_copied_and_stays_where_it_is(network):
    meta = xaibench.Explainer(network, device="meta").model
    assert next(meta.parameters()).device.type == "meta"
    assert next(network.parameters()).device.type == "cpu"
    assert xaibench.Explainer(network, device="cpu").model is network
    with pytest.raises(xaibench.XaibenchError, match=r"device=cdua: .*name cpu, cuda"):
        xaibench.Explainer(network, device="cdua")
