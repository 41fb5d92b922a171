"""Near-duplicates, on drawn images and on the real BUSI."""

import csv
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xaibench.core.duplicates import difference_hash, group_near_duplicates
from xaibench.core.images import read_image
from xaibench.datasets.busi import busi


def test_hash_against_a_reference_pixel_by_pixel():
    image = np.random.default_rng(1).integers(0, 255, (40, 70, 3), np.uint8)
    small = Image.fromarray(image).convert("L").resize((9, 8), Image.Resampling.LANCZOS)
    bits = "".join(
        "1" if small.getpixel((x + 1, y)) > small.getpixel((x, y)) else "0"
        for y in range(8)
        for x in range(8)
    )
    assert difference_hash(image) == int(bits, 2)


def test_hash_survives_another_size_and_brightness_but_not_a_mirror():
    rng = np.random.default_rng(2)
    image = Image.fromarray(rng.integers(0, 200, (8, 9), np.uint8)).resize((180, 120))
    first = difference_hash(np.asarray(image))
    brighter = difference_hash(np.asarray(image.resize((90, 60))) + np.uint8(30))
    mirrored = difference_hash(np.asarray(image)[:, ::-1])
    assert (first ^ brighter).bit_count() <= 2
    assert (first ^ mirrored).bit_count() > 8


def test_groups_equal_those_of_a_plain_search():
    rng = np.random.default_rng(3)
    seeds = [int(value) for value in rng.integers(0, 2**63, 40, np.int64)]
    hashes = [value ^ (1 << int(rng.integers(64))) for value in seeds for _ in range(3)]
    order = rng.permutation(len(hashes))
    hashes = [hashes[index] for index in order]

    expected = list(range(len(hashes)))
    for _ in hashes:  # Spreads the smallest index along each chain.
        for i, a in enumerate(hashes):
            near = [j for j, b in enumerate(hashes) if (a ^ b).bit_count() <= 2]
            expected[i] = min(expected[j] for j in near)
        if all(expected[index] == index for index in expected):
            break
    assert group_near_duplicates(hashes, threshold=2) == expected


def test_chains_hang_together_and_the_threshold_is_inclusive():
    assert group_near_duplicates([0b0000, 0b0011, 0b1111], threshold=2) == [0, 0, 0]
    assert group_near_duplicates([0b0000, 0b0111, 0b1111], threshold=2) == [0, 1, 1]
    assert group_near_duplicates([0, 2**64 - 1], threshold=63) == [0, 1]
    assert group_near_duplicates([]) == []


def test_blocks_make_no_difference(monkeypatch):
    hashes = [0, 1, 3 << 40, 3, 3 << 40 | 1, 3 << 60]
    whole = group_near_duplicates(hashes, threshold=1)
    monkeypatch.setattr("xaibench.core.duplicates._BLOCK", 2)
    assert group_near_duplicates(hashes, threshold=1) == whole == [0, 0, 2, 0, 2, 5]


@pytest.mark.skipif("XAIBENCH_DATA" not in os.environ, reason="real BUSI: XAIBENCH_DATA not set")
def test_shipped_groups_of_busi_are_those_of_its_images():
    root = Path(os.environ["XAIBENCH_DATA"])
    samples = busi(root, classes=("benign", "malignant", "normal")).samples
    groups = group_near_duplicates([difference_hash(read_image(each.path)) for each in samples])
    members = {}
    for sample, group in zip(samples, groups, strict=True):
        members.setdefault(samples[group].id, []).append(sample.id)
    several = {name: ids for name, ids in members.items() if len(ids) > 1}

    with (files("xaibench.datasets") / "busi_groups.csv").open(newline="") as file:
        shipped = {row["sample"]: row["group"] for row in csv.DictReader(file)}
    assert shipped == {id: name for name, ids in several.items() for id in ids}
    mixed = [ids for ids in several.values() if len({id.split("/")[0] for id in ids}) > 1]
    assert (len(several), len(shipped), len(mixed)) == (143, 320, 8)
    assert ["benign/benign (433)", "malignant/malignant (145)"] in mixed
