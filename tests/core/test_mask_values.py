"""Masks of more values than black and white: what counts, and where that can't be known."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from xaibench.core.data import IGNORED, Sample, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.images import read_image, read_mask
from xaibench.core.reading.mask_style import read_style
from xaibench.datasets.folder import folder

HEIGHT, WIDTH = 20, 33
FIRST, SECOND = (slice(2, 9), slice(3, 12)), (slice(11, 18), slice(15, 30))


def drawn(first, second=0, ground=0, kind=np.uint8):
    pixels = np.full((HEIGHT, WIDTH), ground, kind)
    pixels[FIRST], pixels[SECOND] = first, second
    return pixels


def bordered(first):
    """Return an object and a border around it that is a single pixel wide."""
    pixels = drawn(first)
    rows, columns = FIRST
    pixels[rows.start - 1, columns] = pixels[rows.stop, columns] = 255
    return pixels


def where(first, second=False):
    return drawn(first, second).astype(bool)


def saved(path, pixels, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def palette(pixels):
    """Return indices in the colors of Pascal VOC for 0, 8, 15 and 255."""
    image = Image.fromarray(pixels, "P")
    colors = np.zeros((256, 3), np.uint8)
    colors[[8, 15, 255]] = (64, 0, 0), (192, 128, 128), (224, 224, 192)
    image.putpalette(colors.ravel().tolist())
    return image


def colored(first, second, ground=(0, 0, 0)):
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:], pixels[FIRST], pixels[SECOND] = ground, first, second
    return pixels


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (drawn(255), where(True)),
        (drawn(128, 255), where(True, True)),
        (drawn(200, 255), where(True, True)),
        (drawn(200, 40, ground=40), where(True)),
        (drawn(0xC000, 0x4000, ground=0x4000, kind=np.uint16), where(True)),
        (colored((0, 255, 0), (0, 250, 0)), where(True, True)),
    ],
)
def test_what_can_be_known_is_read(tmp_path, pixels, expected):
    np.testing.assert_array_equal(read_mask(saved(tmp_path / "m.png", pixels)), expected)


def test_smoothed_edges_and_lossy_compression_are_no_objects(tmp_path):
    hard = Image.fromarray(drawn(255)).resize((WIDTH * 8, HEIGHT * 8), Image.Resampling.NEAREST)
    smooth = hard.filter(ImageFilter.GaussianBlur(2))
    for name, options in (("soft.png", {}), ("lossy.jpg", {"quality": 40})):
        found = read_mask(saved(tmp_path / name, smooth, **options))
        assert (found != (np.asarray(hard) > 0)).mean() < 0.01


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (drawn(127, 255), "the value 127 beside brighter ones"),
        (bordered(1), "the value 1 beside brighter ones"),
        (drawn(85, 170), "the value 85 beside brighter ones"),
        (drawn(1, 255), "the value 1 beside brighter ones"),
        (drawn(3, 200), r"say what counts, as values=1\+2"),
        (drawn(1000, 40000, kind=np.uint16), "the value 1000 beside brighter ones"),
        (drawn(200, 255, ground=180), "nothing in this mask is black"),
        (colored((120, 0, 0), (255, 255, 255)), "several colors"),
        (colored((255, 0, 0), (255, 0, 0), (255, 255, 255)), "several colors"),
        (colored((255, 255, 0), (0, 255, 255)), "several colors"),
        (palette(drawn(8, 255)), "several colors"),
        (palette(drawn(15, 255)), "several colors"),
        (np.random.default_rng(0).integers(20, 230, (HEIGHT, WIDTH), np.uint8), "looks like an im"),
    ],
)
def test_what_cannot_be_known_is_refused(tmp_path, pixels, message):
    path = saved(tmp_path / "m.png", pixels)
    with pytest.raises(XaibenchError, match=rf"m\.png: .*{message}"):
        read_mask(path)


def test_instances_are_refused_until_their_values_are_told(tmp_path):
    ids = np.kron(np.arange(1, 201, dtype=np.uint8).reshape(10, 20), np.ones((4, 4), np.uint8))
    ids[::8] = 0
    path = saved(tmp_path / "ids.png", ids)
    with pytest.raises(XaibenchError, match="and others beside brighter ones"):
        read_mask(path)
    values = read_style("folder", ["1-200"], [], soft=False).values
    np.testing.assert_array_equal(read_mask(path, values), ids > 0)


def test_values_and_ignored_ones_of_a_folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        saved(tmp_path / name / "1.png", np.zeros((HEIGHT, WIDTH), np.uint8))
        saved(tmp_path / name / "1_mask.png", palette(drawn(8, 255)))
    dataset = folder(tmp_path, path=str(tmp_path), values=("8",), ignore=("255",))
    mask = read_files(dataset.samples[0]).mask
    np.testing.assert_array_equal(mask == 1, where(True))
    np.testing.assert_array_equal(mask == IGNORED, where(False, True))
    assert set(np.unique(mask)) == {IGNORED, 0, 1}


def test_shares_count_from_a_half_on(tmp_path):
    ramp = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        saved(tmp_path / name / "1.png", ramp)
        saved(tmp_path / name / "1_mask.png", drawn(100, 200))
    soft = folder(tmp_path, path=str(tmp_path), soft=True)
    np.testing.assert_array_equal(read_files(soft.samples[0]).mask > 0, where(False, True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": ("x",)}, r"folder\[values=x\]: write values from 0 to 65535"),
        ({"values": ("5-2",)}, r"values=5-2\]: write values"),
        ({"values": ("1", "2"), "ignore": ("2",)}, "2 is in both"),
        ({"ignore": ("255",)}, r"ignore=255\]: say with values= what counts"),
        ({"values": ("1",), "soft": True}, "exclude each other"),
    ],
)
def test_options_that_leave_it_open_are_refused(tmp_path, options, message):
    with pytest.raises(XaibenchError, match=message):
        folder(tmp_path, path="x", **options)


def test_a_colored_mask_has_no_values(tmp_path):
    path = saved(tmp_path / "m.png", colored((255, 0, 0), (0, 255, 0)))
    with pytest.raises(XaibenchError, match=r"m\.png: this mask has colors that Pascal"):
        read_mask(path, 76)


def test_a_deep_tiff_whose_white_is_zero_is_turned_round(tmp_path):
    deep = drawn(0xFF00, 0x4000, kind=np.uint16)
    saved(tmp_path / "plain.tif", deep)
    saved(tmp_path / "turned.tif", 0xFFFF - deep, tiffinfo={262: 0})
    plain, turned = (read_image(tmp_path / f"{name}.tif") for name in ("plain", "turned"))
    np.testing.assert_array_equal(plain, turned)
    sample = Sample("s", tmp_path / "turned.tif", 0)
    assert read_files(sample).image[3, 4, 0] == 0xFF


def test_an_rgb_mask_in_the_colors_of_pascal_voc_is_read_by_its_indices(tmp_path):
    indexed = palette(drawn(8, 15, 255))
    mask = saved(tmp_path / "m.png", indexed.convert("RGB"))
    assert np.array_equal(read_mask(mask, (8,)), where(True))
    assert np.array_equal(read_mask(mask, (1, 15)), where(False, True))
    assert np.array_equal(read_mask(mask, 255), ~where(True, True))
    gray = saved(tmp_path / "g.png", colored((128, 128, 128), (64, 64, 64)))
    with pytest.raises(XaibenchError, match="RGB mask could be grays, or indices"):
        read_mask(gray, (56, 128))  # a gray here, and the index of another gray
    assert np.array_equal(read_mask(gray, 128), where(True))
    assert np.array_equal(read_mask(gray, 7), where(True))  # index 7 is gray
    other = saved(tmp_path / "o.png", colored((250, 3, 9), (0, 128, 0)))
    with pytest.raises(XaibenchError, match="colors that Pascal VOC's palette lacks"):
        read_mask(other, 2)
