import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.feature import match_template

from xaibench.core.reading.likeness import likeness, prepare_details


def thumbnail(seed):
    noise = np.random.default_rng(seed).normal(size=(128, 128))
    smooth = gaussian_filter(noise, (1.5, 3))
    return np.clip(120 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def plain(one, other):
    """Tile by tile with scikit-image, over the same sixteen places."""

    def found(a, b):
        scores, weights = [], []
        for y in range(12, 116, 26):
            for x in range(12, 116, 26):
                tile = a[y : y + 26, x : x + 26]
                window = b[y - 12 : y + 38, x - 12 : x + 38]
                scores.append(match_template(window, tile).max())
                weights.append(np.linalg.norm(tile - tile.mean()))
        return np.average(scores, weights=weights)

    sharp = [each - gaussian_filter(each.astype(float), 1) for each in (one, other)]
    return min(found(*sharp), found(*sharp[::-1]))


def alike(one, other):
    return likeness(prepare_details(one), prepare_details(other))


def test_against_scikit_image_on_images_that_are_partly_the_same():
    one, other = thumbnail(0), thumbnail(1)
    mixed = np.roll(one, (3, -5), axis=(0, 1))
    mixed[:, 70:] = other[:, 70:]
    value = alike(one, mixed)
    assert value == pytest.approx(plain(one, mixed), abs=1e-4)
    assert 0.3 < value < 0.8
    assert alike(mixed, one) == value


def test_bounds():
    one = thumbnail(0)
    assert alike(one, one) == pytest.approx(1, abs=1e-5)
    assert alike(one, thumbnail(1)) < 0.45
    flat = np.full((128, 128), 7, np.uint8)
    assert alike(one, flat) == alike(flat, one) == alike(flat, flat) == 0


@pytest.mark.parametrize("shift", [(12, 0), (0, -12), (-12, 12)])
def test_what_moved_by_no_more_than_the_reach_is_found(shift):
    one = thumbnail(0)
    assert alike(one, np.roll(one, shift, axis=(0, 1))) > 0.9


@pytest.mark.parametrize("shift", [(18, 0), (0, -18)])
def test_what_moved_farther_is_not(shift):
    one = thumbnail(0)
    assert alike(one, np.roll(one, shift, axis=(0, 1))) < 0.4


def test_a_speck_of_one_gray_is_no_detail():
    # Without a floor under the contrast, one stray pixel would match any other.
    specks = np.full((2, 128, 128), 100, np.uint8)
    specks[0, 40, 50] = specks[1, 44, 47] = 101
    assert 0 < alike(*specks) < 0.1
