"""A link that leads to itself is refused or passed over by name, with any Python."""

import numpy as np
import pytest
from PIL import Image

from xaibench.explaining.pictures import find_pictures, read_pictures


def test_a_picture_that_is_a_link_to_itself_costs_itself_alone(tmp_path):
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "z.png").symlink_to("z.png")
    pictures, failures = find_pictures([str(tmp_path)], tmp_path / "out")
    assert failures == {}
    failures = {}
    assert [file.name for file, _ in read_pictures(pictures, 3, failures)] == ["a"]
    assert list(failures) == ["z"]
    assert "symbolic links" in failures["z"]


@pytest.mark.slow
def test_a_folder_that_is_a_link_to_itself_is_refused_by_every_command(call, tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    wrong = {}
    for command in (
        ["publish", loop, tmp_path / "out"], ["publish", tmp_path, loop], ["report", loop],
        ["site", loop, "--out", tmp_path / "site"], ["compare", loop, tmp_path, "--out", loop],
        ["explain", loop], ["init", loop], ["init", "x" * 5000],
        ["audit", "--dataset", f"folder[path={loop}]"],
    ):  # fmt: skip
        code, _, said = call(*command)
        if code != 2:
            wrong[" ".join(map(str, command[:2]))] = code, said[-300:]
    assert wrong == {}
