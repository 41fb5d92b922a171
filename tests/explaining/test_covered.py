"""Covered pictures by hand, and drawn by the command."""

import numpy as np
import pytest
import torch
from PIL import Image

from xaibench.explaining.covered import cover_pictures


def test_four_coverings_of_a_picture_by_hand():
    images = torch.tensor([1.0, 0.8, 0.4, 0.2]).view(1, 1, 1, 4).repeat(1, 3, 1, 1)
    maps = torch.tensor([[[1.0, 0.5, 0.25, 0.0]]])

    def predict(given):
        bright = given.mean(dim=(1, 2, 3))
        return torch.stack([bright, 1 - bright], dim=1)

    picture = np.zeros((5, 9, 3), np.uint8)
    (shown,) = cover_pictures([picture], images, maps, torch.tensor([0]), predict)
    assert shown.picture is picture
    assert [each.words for each in shown.covered] == [
        "the rest covered by the map",
        "the important part covered by the map",
        "the rest covered at half of the map",
        "the important part covered at half of the map",
    ]
    assert shown.confidence == pytest.approx(0.6)
    assert shown.heat.tolist() == maps[0].tolist()
    kept = [[1, 0.4, 0.1, 0], [0, 0.4, 0.3, 0.2], [1, 0.8, 0, 0], [0, 0, 0.4, 0.2]]
    for each, row in zip(shown.covered, kept, strict=True):
        assert each.confidence == pytest.approx(sum(row) / 4, rel=1e-6)
        assert each.image[0, :, 0].tolist() == pytest.approx([255 * v for v in row], abs=0.51)


@pytest.mark.slow
def test_the_command_draws_them(finished_run, call, tmp_path, plugin_file):
    Image.new("RGB", (30, 20), "gray").save(tmp_path / "gray.png")
    out = tmp_path / "out"
    code, _, errors = call("explain", tmp_path / "gray.png", "--run", finished_run.out, "--covered",
                           "--methods", "gradcam,occlusion[window=8]", "--plugin", plugin_file,
                           "--out", out)  # fmt: skip
    assert code == 0, errors
    assert {file.name for file in out.rglob("covered-*.png")} == {
        "covered-gradcam.png", "covered-occlusion-window=8.png",
    }  # fmt: skip
    Image.new("RGB", (20, 30), "gray").save(tmp_path / "gray.png")
    tall = tmp_path / "tall"
    call("explain", tmp_path / "gray.png", "--run", finished_run.out, "--covered",
         "--methods", "gradcam", "--out", tall)  # fmt: skip
    heights = [Image.open(next(each.rglob("covered-gradcam.png"))).height for each in (out, tall)]
    assert heights[0] < heights[1]  # as tall as the picture is, not as the network's square
