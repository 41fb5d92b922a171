"""Maps and masks meet at the size that an image has in its file."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.nn import functional

from xaibench.core.store import read_json
from xaibench.results.maps import MapReader
from xaibench.setup.selection import select

SIZES = [(45, 90), (120, 70)]


@pytest.fixture(scope="module")
def selection(run_cells, small, tmp_path_factory):
    """A run on images of two sizes, whose lesions are too small for the network's."""
    place = tmp_path_factory.mktemp("scored")
    random = np.random.default_rng(0)
    for number in range(20):
        for label in ("a", "b"):
            height, width = SIZES[number % 2]
            image = random.integers(0, 255, (height, width), np.uint8)
            mask = np.zeros((height, width), np.uint8)
            top, left = random.integers(5, height - 9), random.integers(5, width - 9)
            mask[top : top + 2, left : left + 3] = 255
            mask[0, 0] = 255 * (number % 3 == 0)
            (place / label).mkdir(exist_ok=True)
            Image.fromarray(image).save(place / label / f"{number}.png")
            if number % 4:
                Image.fromarray(mask).save(place / label / f"{number}_mask.png")
    given = {**small, "dataset": f"folder[path={place}]", "methods": ("sobel",),
             "metrics": ("iou", "hit_rate", "iou_best"), "limit": 0, "split": "kfold:2",
             "score_at": "original", "out": str(place / "out")}  # fmt: skip
    run_cells(given, place / "out")
    return select(given)


def by_hand(selection, fold, sample):
    """Return the Jaccard index and the hit of one map at the image's own size."""
    (archive,) = (selection.layout.out / "cells").rglob(f"*fold{fold}*/**/sobel/maps.npz")
    with MapReader(archive) as reader:
        raw = torch.from_numpy(reader[f"label/{sample.id}"]).float().relu()
    mask = np.asarray(Image.open(sample.masks[0].path)) > 0
    large = functional.interpolate(raw[None, None], mask.shape, mode="bilinear")[0, 0].numpy()
    large = (large - large.min()) / (large.max() - large.min())
    marked = large >= 0.5 * large.max()
    return (marked & mask).sum() / (marked | mask).sum(), mask[large == large.max()].mean()


@pytest.mark.slow
def test_scores_are_those_of_the_unresized_mask(selection):
    scores = pd.read_csv(selection.layout.out / "scores.csv", dtype={"sample": str})
    assert "mask lost in resizing" not in set(scores["status"])
    seen = 0
    for fold in (0, 1):
        for sample in selection.split(fold).test:
            rows = scores[(scores["sample"] == sample.id) & (scores["fold"] == fold)]
            found = rows.set_index("metric")["value"]
            if not sample.masks:
                assert found.isna().all()
                continue
            assert found[["iou", "hit_rate"]].tolist() == pytest.approx(
                by_hand(selection, fold, sample), abs=1e-6
            )
            seen += 1
    assert seen == 30


@pytest.mark.slow
def test_the_size_is_told_and_part_of_what_scores_are_made_from(selection, plan_of):
    assert "scored at the original size" in str(read_json(selection.layout.out / "run.json"))
    given = {name: getattr(selection.options, name) for name in selection.options.__annotations__}
    again = plan_of(given, selection.layout.out)
    assert (again.cells, again.done) == (2, 2)
    other = plan_of(given, selection.layout.out, score_at="network")
    assert other.done == 0
    assert not other.trainings
