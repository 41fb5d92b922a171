"""Near-duplicates, on drawn images and on the real BUSI."""

import csv
import io
import os
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from xaibench.core.reading.duplicates import COPY, VIEW, find_near_duplicates, take_imprint
from xaibench.core.reading.images import read_image
from xaibench.core.reading.joining import join_pairs
from xaibench.datasets.busi import busi


def tissue(seed, shape=(180, 260)):
    """Speckle on a dark ground with some structure, like a scan; non-square."""
    noise = np.random.default_rng(seed).normal(size=(2, *shape))
    structure = gaussian_filter(noise[0], (4, 12)) * 25 + gaussian_filter(noise[1], 1.5) * 4
    return np.clip(90 + 40 * structure, 0, 255).astype(np.uint8)


def pairs_of(*images):
    found = find_near_duplicates([take_imprint(image) for image in images])
    return [(pair.first, pair.second) for pair in found]


def resized(image, size):
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def compressed(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "jpeg", quality=40)
    return np.asarray(Image.open(file))


def with_cross(image):
    marked = image.copy()
    marked[60:62, 90:120] = marked[50:75, 104:106] = 255
    return marked


def shifted(image):
    """A frame of the same size, moved by 6 %; what enters is black."""
    moved = np.zeros_like(image)
    moved[11:, :-16] = image[:-11, 16:]
    return moved


COPIES = {
    "moved": shifted,
    "rolled": lambda image: np.roll(image, (-11, 16), axis=(0, 1)),
    "cropped on one side": lambda image: image[:, 52:],
    "cropped in a corner": lambda image: image[18:, :-26],
    "cropped on all sides, and enlarged": lambda image: resized(image[18:-18, 26:-26], (260, 180)),
    "mirrored": lambda image: image[:, ::-1],
    "upside down, cropped, darker": lambda image: (image[::-1][9:, 13:] * 0.6).astype(np.uint8),
    "with another gamma": lambda image: (255 * (image / 255) ** 2).astype(np.uint8),
    "stretched": lambda image: resized(image, (130, 150)),
    "compressed, turned by 180": lambda image: compressed(np.rot90(image, 2)),
    "turned by 90": np.rot90,
    "turned by 270, cropped, compressed": lambda image: compressed(np.rot90(image[:-18, 20:], 3)),
    "transposed": np.transpose,
    "noisy": lambda image: (
        image * 0.9 + np.random.default_rng(9).uniform(0, 20, image.shape)
    ).astype(np.uint8),
    "with calipers, cropped": lambda image: with_cross(image)[:-20, 30:],
    "in color": lambda image: np.stack([image, image, image // 2], axis=2),
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_a_copy_is_found_among_others(change):
    others = [tissue(seed) for seed in range(1, 5)]
    assert pairs_of(tissue(0), *others, change(tissue(0))) == [(0, 5)]


OTHERS = {
    "another": lambda _: tissue(7),
    "black": np.zeros_like,
    "of one pixel": lambda image: image[:1, :1],
    "a third": lambda image: image[:, :87],
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_other_images_are_not_joined(change):
    assert pairs_of(tissue(0), change(tissue(0))) == []


@pytest.mark.parametrize("others", [0, 16], ids=["alone", "beside others"])
def test_pictures_of_one_kind_are_not_joined_however_alike_from_afar(others):
    # As chest radiographs: one anatomy for all, each person's detail their own.
    common = gaussian_filter(np.random.default_rng(0).normal(size=(180, 260)), 4)
    common = 128 + 60 * common / common.std()
    images = [
        np.clip(common + (tissue(seed) - 128.0) * 0.8, 0, 255).astype(np.uint8)
        for seed in range(11)
    ]
    assert pairs_of(*images, *map(tissue, range(100, 100 + others))) == []


def test_flat_images_are_no_near_duplicates():
    assert pairs_of(*[np.full((20, 30), gray, np.uint8) for gray in (0, 0, 255)]) == []
    assert pairs_of() == []


def test_another_moment_of_a_scan_is_found_where_images_are_unlike():
    # The tissue has given way here and there, and the lesion looks otherwise.
    before = tissue(0)
    bends = gaussian_filter(np.random.default_rng(8).normal(size=(2, 180, 260)), (0, 12, 12))
    moved = np.mgrid[:180, :260] + 2.2 * bends / bends.std()
    after = map_coordinates(before.astype(float), moved, order=1, mode="nearest")
    images = (before, *map(tissue, range(1, 9)), after.astype(np.uint8))
    (pair,) = find_near_duplicates([take_imprint(image) for image in images])
    assert (pair.first, pair.second) == (0, 9)
    assert VIEW <= pair.likeness < COPY


def test_joined_things_equal_those_of_a_plain_search():
    rng = np.random.default_rng(3)
    pairs = [tuple(map(int, rng.integers(0, 60, 2))) for _ in range(35)]
    expected = list(range(60))
    for _ in expected:  # Spreads the smallest index along each chain.
        for a, b in pairs:
            expected[a] = expected[b] = min(expected[a], expected[b])
    assert join_pairs(60, pairs) == expected
    assert join_pairs(3, []) == [0, 1, 2]
    assert join_pairs(0, []) == []


@pytest.mark.slow
@pytest.mark.skipif("XAIBENCH_DATA" not in os.environ, reason="real BUSI: XAIBENCH_DATA not set")
def test_shipped_groups_of_busi_are_those_of_its_images():
    root = Path(os.environ["XAIBENCH_DATA"])
    samples = busi(root, classes=("benign", "malignant", "normal")).samples
    pairs = find_near_duplicates([take_imprint(read_image(each.path)) for each in samples])
    groups = join_pairs(len(samples), [(pair.first, pair.second) for pair in pairs])
    several = {head for place, head in enumerate(groups) if place != head}
    found = {each.id: samples[head].id for each, head in zip(samples, groups, strict=True)
             if head in several}  # fmt: skip

    with (files("xaibench.datasets") / "busi_groups.csv").open(newline="") as file:
        shipped = {row["sample"]: row["group"] for row in csv.DictReader(file)}
    assert shipped == found
    assert (len(several), len(found)) == (153, 346)
    # Seen by eye: cropped, another frame, or mirrored into another class.
    for one, other in (
        ("benign/benign (62)", "benign/benign (140)"),
        ("malignant/malignant (4)", "malignant/malignant (9)"),
        ("malignant/malignant (65)", "malignant/malignant (66)"),
        ("benign/benign (433)", "malignant/malignant (145)"),
        ("normal/normal (33)", "normal/normal (120)"),
    ):
        assert found[one] == found[other]


@pytest.mark.slow
@pytest.mark.skipif("XAIBENCH_DATA" not in os.environ, reason="real images: XAIBENCH_DATA not set")
def test_copies_of_real_scans_are_found_and_no_two_xrays_are_taken_for_one():
    root = Path(os.environ["XAIBENCH_DATA"])
    scans = [read_image(each.path) for each in busi(root).samples[2:400:8]]
    originals = list(map(take_imprint, scans))
    known = {pair[:2] for pair in find_near_duplicates(originals)}
    changes = [lambda scan, change=change: change(scan[..., 0]) for change in (
        lambda scan: scan[::-1], lambda scan: scan[: int(0.8 * len(scan))],
        lambda scan: np.roll(scan, int(0.06 * len(scan)), axis=0), compressed)]  # fmt: skip
    found = 0
    for change in changes:
        pairs = find_near_duplicates([*originals, *(take_imprint(change(scan)) for scan in scans)])
        found += sum(pair.second - pair.first == len(scans) for pair in pairs)
    assert found >= 0.95 * len(changes) * len(scans)
    assert len(known) < 10

    rays = {re.search(r"person\d+|IM-\d+", path.name)[0]: path
            for path in sorted((root / "chest_xray").rglob("*.jpeg"))}  # fmt: skip
    imprints = [take_imprint(read_image(path)) for path in list(rays.values())[:300]]
    assert len(find_near_duplicates(imprints)) <= 1
    assert {pair[:2] for pair in find_near_duplicates([*originals, *imprints[:40]])} == known
