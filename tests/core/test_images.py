"""Odd images and masks, as they are met in real data sets."""

import numpy as np
import pytest
from PIL import Image

from xaibench.core.data import Box, MaskLayer, Sample, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.images import read_image, read_mask

HEIGHT, WIDTH = 4, 7


@pytest.fixture
def truth():
    """An asymmetric region, which a transposed or a mirrored mask would not match."""
    region = np.zeros((HEIGHT, WIDTH), bool)
    region[0, 1:5] = region[2, 6] = True
    return region


def test_rgba_mask_is_read_by_its_colors_not_by_its_opaque_alpha(tmp_path, truth):
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[truth, :3] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), truth)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB"])
def test_masks_of_any_mode(tmp_path, truth, mode):
    Image.fromarray(truth.astype(np.uint8) * 255).convert(mode).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), truth)


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, truth, ending):
    file = tmp_path / f"deep{ending}"
    Image.fromarray(np.where(truth, 0xC000, 0x4000).astype(np.uint16)).save(file)
    np.testing.assert_array_equal(read_mask(file), truth)
    image = read_image(file)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert image.dtype == np.uint8
    assert set(np.unique(image)) == {0x40, 0xC0}


def test_an_image_of_floating_point_numbers_is_refused_and_not_read_as_black(tmp_path, truth):
    Image.fromarray(truth.astype(np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(XaibenchError, match=r"float\.tif.*floating point.*8 or 16 bits"):
        read_image(tmp_path / "float.tif")


def test_antialiased_border_counts_above_the_middle(tmp_path):
    Image.fromarray(np.array([[127, 128]], np.uint8)).save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png").tolist() == [[False, True]]


def test_exif_rotation_is_applied_to_image_and_mask(tmp_path, truth):
    exif = Image.Exif()
    exif[0x0112] = 6  # Shown upright after a quarter turn clockwise.
    Image.fromarray(truth.astype(np.uint8) * 255).save(tmp_path / "turned.png", exif=exif)
    upright = np.rot90(truth, -1)
    np.testing.assert_array_equal(read_mask(tmp_path / "turned.png"), upright)
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png")[..., 0] > 0, upright)


def test_gray_palette_and_transparent_images_become_rgb(tmp_path):
    for mode in ("1", "L", "P", "RGBA", "CMYK"):
        file = tmp_path / f"{mode}.{'jpg' if mode == 'CMYK' else 'png'}"
        Image.new(mode, (WIDTH, HEIGHT)).save(file)
        assert read_image(file).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n\0\0"])
def test_unreadable_file_is_named(tmp_path, content):
    file = tmp_path / "broken.png"
    file.write_bytes(content)
    with pytest.raises(XaibenchError, match=r"broken\.png.*replace or remove"):
        read_image(file)


def test_truncated_file_is_named(tmp_path):
    file = tmp_path / "cut.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(XaibenchError, match=r"cut\.png"):
        read_image(file)


def save(path, array):
    Image.fromarray(array.astype(np.uint8)).save(path)
    return path


def test_misfitting_mask_names_both_sizes(tmp_path):
    image = save(tmp_path / "scan.png", np.zeros((HEIGHT, WIDTH)))
    mask = save(tmp_path / "mask.png", np.zeros((WIDTH, HEIGHT)))
    with pytest.raises(XaibenchError, match=r"mask\.png.*4x7.*scan\.png is 7x4"):
        read_files(Sample("scan", image, 0, (MaskLayer(mask),)))


def test_highest_grade_wins_and_the_lowest_shows_on_the_background(tmp_path):
    image = save(tmp_path / "scan.png", np.zeros((1, 5)))
    worst = save(tmp_path / "worst.png", np.array([[255, 255, 255, 0, 0]]))
    best = save(tmp_path / "best.png", np.array([[0, 255, 0, 255, 0]]))
    layers = (MaskLayer(best, 3), MaskLayer(worst, -1))
    boxes = (Box(1, 0, 3, 1),)
    for masks in (layers, layers[::-1]):
        picture = read_files(Sample("scan", image, 0, masks, boxes))
        assert picture.mask.tolist() == [[-1, 3, 1, 3, 0]]
        assert picture.mask.dtype == np.int8


def test_boxes_are_cut_at_the_border(tmp_path):
    image = save(tmp_path / "scan.png", np.zeros((HEIGHT, WIDTH)))
    outside = (Box(-9, -9, -1, -1), Box(5, 2, 99, 99), Box(-3, 0, 1, 1))
    mask = read_files(Sample("scan", image, 0, boxes=outside)).mask
    assert np.argwhere(mask).tolist() == [[0, 0], [2, 5], [2, 6], [3, 5], [3, 6]]


def test_without_annotation_there_is_no_mask(tmp_path):
    image = save(tmp_path / "scan.png", np.zeros((HEIGHT, WIDTH)))
    assert read_files(Sample("scan", image, 0)).mask is None


def test_a_mask_of_zeros_and_ones_is_refused_rather_than_read_as_empty(tmp_path):
    path = tmp_path / "ones.png"
    Image.fromarray(np.eye(3, 5, dtype=np.uint8)).save(path)
    with pytest.raises(XaibenchError, match="brightest gray of this mask is 1"):
        read_mask(path)


def test_a_palette_mask_in_dark_colors_is_refused(tmp_path):
    path = tmp_path / "voc.png"
    mask = Image.fromarray(np.eye(3, 5, dtype=np.uint8), "P")
    mask.putpalette([0, 0, 0, 128, 0, 0])
    mask.save(path)
    with pytest.raises(XaibenchError, match="brightest gray of this mask is 38"):
        read_mask(path)


def test_a_deep_mask_of_eight_bit_values_keeps_its_foreground(tmp_path):
    path = tmp_path / "deep.png"
    truth = np.eye(3, 5, dtype=np.uint16)
    Image.fromarray(truth * 255).save(path)
    assert (read_mask(path) == truth.astype(bool)).all()
