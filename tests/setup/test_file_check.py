"""What a plan finds in files before the first epoch."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from xaibench.core.data import Box, Dataset, MaskLayer, Sample
from xaibench.core.errors import XaibenchError
from xaibench.setup.file_check import _is_outline, check_files
from xaibench.setup.options import RunOptions


def scans(folder, count=6, *, mask=(slice(2, 30), slice(3, 40)), kind=np.uint8, top=200):
    samples = []
    for number in range(count):
        rng = np.random.default_rng(number)
        image = rng.integers(0, top, (48, 64)).astype(kind)
        truth = np.zeros((48, 64), np.uint8)
        truth[mask] = 255
        path, layer = folder / f"{number}.png", folder / f"{number}_mask.png"
        Image.fromarray(image).save(path)
        Image.fromarray(truth).save(layer)
        samples.append(Sample(str(number), path, number % 2, (MaskLayer(layer),)))
    return Dataset(("a", "b"), tuple(samples))


def test_whole_files_need_no_warning(tmp_path):
    assert check_files(scans(tmp_path), RunOptions(image_size=32)) == []


@pytest.mark.parametrize("name", ["3.png", "3_mask.png"])
def test_a_file_cut_off_is_found(tmp_path, name):
    dataset = scans(tmp_path)
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(XaibenchError, match=rf"{name}: not a readable image"):
        check_files(dataset, RunOptions())


def test_a_mask_of_another_size_is_found_and_the_others_counted(tmp_path):
    dataset = scans(tmp_path)
    for number in (2, 4):
        Image.new("L", (48, 64)).save(tmp_path / f"{number}_mask.png")
    with pytest.raises(XaibenchError, match=r"2_mask\.png: this mask is 48x64.* \(1 other images"):
        check_files(dataset, RunOptions())


def test_a_box_outside_its_image_is_found(tmp_path):
    inside, outside = Box(60, 0, 90, 48), Box(64, 2, 70, 9)
    samples = [replace(each, masks=(), boxes=(inside,)) for each in scans(tmp_path).samples]
    assert check_files(Dataset(("a", "b"), tuple(samples)), RunOptions()) == []
    samples[3] = replace(samples[3], boxes=(inside, outside))
    with pytest.raises(XaibenchError, match=r"3\.png: a box from \(64, 2\) lies outside.* 64x48;"):
        check_files(Dataset(("a", "b"), tuple(samples)), RunOptions())


def test_damaged_pixels_are_found_by_verifying(tmp_path):
    dataset = scans(tmp_path)
    file = tmp_path / "5.png"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)
    check_files(dataset, RunOptions())
    with pytest.raises(XaibenchError, match=r"5\.png: not a readable image"):
        check_files(dataset, RunOptions(verify=True))


def test_outlines_are_warned_of_and_thin_or_hollow_objects_are_not():
    thin, wide, solid = np.zeros((3, 40, 56), bool)
    thin[5:30, 10:45] = wide[5:30, 10:45] = solid[5:30, 10:45] = True
    thin[7:28, 12:43] = wide[11:24, 16:39] = False
    line = np.zeros((40, 56), bool)
    line[20, 3:50] = True
    assert [_is_outline(each) for each in (thin, wide, solid, line, ~line & False)] == [
        True, False, False, False, False,
    ]  # fmt: skip


def test_lost_and_inverted_masks_and_dark_images_are_warned_of(tmp_path):
    lost = scans(tmp_path, mask=(slice(20, 21), slice(30, 31)))
    (said,) = check_files(lost, RunOptions(image_size=32))
    assert said.startswith("6 of 6 masks that were looked at mark nothing at this image size")
    assert check_files(lost, RunOptions(image_size=32, mask_resize="area")) == []
    turned = scans(tmp_path, mask=(slice(None), slice(None)))
    (said,) = check_files(turned, RunOptions(image_size=32))
    assert "are black and white swapped?" in said
    (said,) = check_files(scans(tmp_path, kind=np.uint16, top=4096), RunOptions())
    assert said.startswith("6 of 6 images of 16 bits that were looked at are nearly black")
