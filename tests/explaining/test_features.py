"""What channels look for, by hand; and the command."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier
from xaibench.core.passes.engine import Engine
from xaibench.explaining.features import LayerView
from xaibench.explaining.stored_model import StoredModel


@pytest.fixture
def stored():
    """Two filters of 3 x 5: one sees red in its middle, the other a bright left edge."""
    convolution = nn.Conv2d(3, 2, (3, 5), padding=(1, 2), bias=False)
    weights = torch.zeros(2, 3, 3, 5)
    weights[0, 0], weights[0, 0, 1, 2] = 0.01, 1
    weights[1, :, :, 0], weights[1, :, :, 1:] = 0.5, -0.25
    convolution.weight.data = weights
    network = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = Classifier(network, cam_layer="1", mean=[0.0] * 3, std=[1.0] * 3).eval()
    return StoredModel("ours", Engine(model.requires_grad_(requires_grad=False)), "ab", 20)


def pictures():
    dark, spot, corner = (np.full((20, 20, 3), 20, np.uint8) for _ in range(3))
    spot[4, 12] = 250, 0, 0
    corner[0, 0] = 200, 0, 0
    return [dark, spot, corner]


def test_patches_are_what_the_highest_activation_depends_on(stored):
    found = LayerView(stored, "1", pictures()).patches(1, best=3)
    assert [patch.picture for patch in found] == [1, 2, 0]
    assert found[0].place == (10, 3, 15, 6)  # 5 x 3 round x = 12, y = 4
    assert found[1].place == (0, 0, 3, 2)  # the rest is padding
    np.testing.assert_array_equal(found[0].pixels, pictures()[1][3:6, 10:15])
    around = 14 * 0.01 * 20
    assert found[0].value == pytest.approx((250 + around) / 255, rel=1e-5)


def test_what_nothing_excites_has_a_black_patch(stored):
    black = [np.zeros((20, 20, 3), np.uint8)]
    (patch,) = LayerView(stored, "1", black).patches(1, best=4)
    assert patch.value == 0
    assert not patch.pixels.any()


def test_filters_and_maps_by_hand(stored):
    first = LayerView(stored, "", pictures())
    filters = first.filters()
    assert (first.name, filters.shape) == ("0", (2, 3, 5, 3))
    assert filters[0, 1, 2].tolist() == [255, 128, 128]
    assert filters[1, 0, :2].tolist() == [[255] * 3, [64] * 3]  # 1 and -0.5 of the largest
    maps = LayerView(stored, "1", pictures()).maps(1, 1)
    assert maps.shape == (1, 20, 20)
    assert np.unravel_index(maps[0].argmax(), (20, 20)) == (4, 12)
    assert (maps.min(), maps.max()) == (0, 255)
    with pytest.raises(XaibenchError, match="no filters that can be shown"):
        LayerView(stored, "1", pictures()).filters()


def test_the_command_writes_sheets_and_a_table(finished_run, call, tmp_path, plugin_file):
    for name, picture in zip("abc", pictures(), strict=True):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    (tmp_path / "d.png").write_bytes(b"none")
    out = tmp_path / "out"
    code, _, errors = call("features", tmp_path, "--run", finished_run.out, "--best", 2,
                           "--channels", 3, "--out", out, "--plugin", plugin_file)  # fmt: skip
    assert (code, "d: " in errors) == (3, True), errors
    table = pd.read_csv(out / "patches.csv")
    assert len(table) == 6
    assert set(table["picture"]) <= set("abc")
    names = {file.name for file in out.glob("*.png")}
    assert "filters.png" in names
    assert {name.partition("-")[0] for name in names} == {"filters.png", "maps", "patches"}
