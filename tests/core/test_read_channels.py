"""Images of n channels: what is read, and what is refused by name."""

import os

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from xaibench.core.augment import augment
from xaibench.core.data import Picture
from xaibench.core.errors import XaibenchError
from xaibench.core.loading import resize_picture
from xaibench.core.reading.channels import channels_shape, in_color, read_channels

PIXELS = np.random.default_rng(1).integers(0, 256, (5, 7, 4)).astype(np.uint8)


def write_all(folder):
    np.save(folder / "array.npy", PIXELS)
    np.save(folder / "deep.npy", PIXELS.astype(np.uint16) * 256 + 9)
    pages = np.moveaxis(PIXELS, 2, 0)
    tifffile.imwrite(folder / "pages.tif", pages, photometric="minisblack")
    tifffile.imwrite(folder / "planes.tiff", pages, photometric="minisblack", planarconfig=2)
    grays = {"photometric": "minisblack", "planarconfig": 1, "extrasamples": [0, 0, 0]}
    tifffile.imwrite(folder / "samples.tif", PIXELS, **grays)
    tifffile.imwrite(folder / "rgb_and_one.tif", PIXELS, photometric="rgb", extrasamples=[0])
    first, *others = [Image.fromarray(page) for page in pages]
    first.save(folder / "pillow.tif", save_all=True, append_images=others)


def test_arrays_and_tiffs_of_four_channels_read_the_same(tmp_path):
    write_all(tmp_path)
    files = sorted(tmp_path.iterdir())
    wrong = [file.name for file in files if not np.array_equal(read_channels(file, 4), PIXELS)]
    assert len(files) == 7
    assert wrong == []
    assert {channels_shape(file, 4) for file in files} == {(5, 7)}


def test_what_could_mean_something_else_is_refused_with_its_name(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "opaque.png")
    tifffile.imwrite(tmp_path / "opaque.tif", PIXELS, photometric="rgb", extrasamples=[2])
    tifffile.imwrite(tmp_path / "ink.tif", PIXELS, photometric="separated")
    turned = {"photometric": "minisblack", "extratags": [(274, "H", 1, 6, True)]}
    tifffile.imwrite(tmp_path / "turned.tif", np.moveaxis(PIXELS, 2, 0), **turned)
    np.save(tmp_path / "first.npy", np.moveaxis(PIXELS, 2, 0))
    np.save(tmp_path / "three.npy", PIXELS[..., :3])
    np.save(tmp_path / "float.npy", PIXELS / 255)
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "damaged.tif").write_bytes(b"II*\0nothing")
    os.mkfifo(tmp_path / "pipe.tif")
    expected = {
        "opaque.png": "its opacity", "opaque.tif": "RGB, or opacity", "ink.tif": "SEPARATED",
        "turned.tif": "EXIF rotation is 6", "first.npy": "the channels last",
        "three.npy": r"shape \(5, 7, 3\)", "float.npy": "float64", "object.npy": "not readable",
        "damaged.tif": "0 pictures", "pipe.tif": "pipe.tif", "gone.npy": "no such file",
    }  # fmt: skip
    for name, said in expected.items():
        with pytest.raises(XaibenchError, match=f"{name}.*{said}"):
            read_channels(tmp_path / name, 4)


def test_each_channel_is_resized_by_itself():
    image = np.zeros((6, 8, 4), np.uint8)
    image[..., :3] = 200  # as a picture's opacity the fourth channel would hide them
    small = resize_picture(Picture(image, None), 4).image
    assert (small[..., :3] == 200).all()
    assert not small[..., 3].any()


def test_people_are_shown_the_mean_of_channels_that_are_no_colors():
    shown = in_color(PIXELS)
    assert shown.shape == (5, 7, 3)
    assert np.array_equal(shown[..., 1], np.rint(PIXELS.astype(float).mean(axis=2)))
    assert in_color(PIXELS[..., :3]).tolist() == PIXELS[..., :3].tolist()


def test_colors_of_other_images_than_colored_ones_stay():
    images = torch.rand(2, 4, 6, 8, generator=torch.Generator().manual_seed(2))
    masks = torch.zeros(2, 6, 8, dtype=torch.int8)
    assert torch.allclose(augment(images, masks, [1, 2], ["color"])[0], images, atol=1e-5)
    assert not torch.allclose(
        augment(images[:, :3], masks, [1, 2], ["color"])[0], images[:, :3], atol=1e-2
    )
