"""Models that come trained have one set of weights in all folds, seeds and specs: none is mixed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import xaibench
from xaibench.core.registry import bind
from xaibench.running.describe_plan import describe_plan
from xaibench.running.plan import make_plan
from xaibench.setup.building import ModelWords
from xaibench.setup.jobs import Job
from xaibench.setup.selection import select

pytestmark = pytest.mark.slow  # whole runs

SPECS = ("checkpoint", "checkpoint[at=2]", "checkpoint[mean=0.1]")
SETTINGS = {
    "dataset": "phantom[images=24]",
    "plugin": (str(Path(__file__).parents[1] / "checkpoint_plugins.py"),),
    "models": SPECS,
    "methods": ("gradcam", "random"),
    "metrics": ("iou", "drop_in_confidence"),
    "split": "kfold:2",
    "seeds": (0, 1),
    "target": "label",
    "image_size": 32,
    "controls": False,
    "device": "cpu",
}


@pytest.fixture(
    scope="module",
    params=["serial", "processes"],
)
def trained(request, run_cells, tmp_path_factory):
    """Selection and scores of a run. A single worker meets all folds, seeds and specs."""
    out = tmp_path_factory.mktemp(request.param) / "out"
    assert run_cells(SETTINGS, out, executor=request.param, workers=1).failures == {}
    return select({**SETTINGS, "out": str(out)}), xaibench.load_scores(out)


def test_nothing_is_said_to_be_trained(trained):
    selection, _ = trained
    plan = make_plan(select({**SETTINGS, "out": f"{selection.layout.out}-again"}))
    plan.jobs.append(Job(0, SPECS[0], 7))
    assert [any(f"{spec}: it comes trained, so that" in each for each in plan.warnings)
            for spec in SPECS] == [True] * len(SPECS)  # fmt: skip
    lines = describe_plan(selection, plan)
    assert any(line.endswith("models to train: 0") for line in lines)
    assert "  checkpoint, fold 0, seed 7: predict" in lines
    log = (selection.layout.out / "run.log").read_text("utf-8")
    assert "train checkpoint" not in log


def scores_by_hand(selection, spec, samples):
    """Explain and score the samples alone, without a run."""
    model = bind("model", spec)(ModelWords(selection.dataset.classes, 32)).eval()
    pictures = [selection.loader.load(sample) for sample in samples]
    images = torch.from_numpy(np.stack([p.image for p in pictures])).permute(0, 3, 1, 2) / 255
    masks = torch.from_numpy(np.stack([p.mask for p in pictures]))
    labels = [sample.label for sample in samples]
    maps = xaibench.explain(model, images, labels, "gradcam")["gradcam"]
    metrics = SETTINGS["metrics"]
    found = xaibench.score(maps, masks, metrics, model=model, images=images, targets=labels)
    return found.assign(sample=[samples[row].id for row in found["map"]])


def test_each_fold_seed_and_spec_has_its_own_images_and_maps(trained):
    selection, scores = trained
    for fold in selection.folds:
        samples = selection.split(fold).test
        for spec in SPECS:
            wanted = scores_by_hand(selection, spec, samples).set_index(["sample", "metric"])
            for seed in SETTINGS["seeds"]:
                mine = scores.query(
                    "fold == @fold and model == @spec and seed == @seed and method == 'gradcam'"
                ).set_index(["sample", "metric"])
                assert set(mine.index) == set(wanted.index), (fold, spec, seed)
                found = mine["value"].reindex(wanted.index)
                pd.testing.assert_series_equal(found, wanted["value"], atol=1e-5)


def test_specs_of_one_checkpoint_differ_and_seeds_draw_their_own_noise(trained):
    _, scores = trained
    table = scores.pivot_table("value", ["fold", "sample"], ["method", "metric", "model", "seed"])
    cams = table["gradcam"]
    assert (cams["iou", SPECS[0], 0] != cams["iou", SPECS[1], 0]).mean() > 0.5  # another layer
    drops = cams["drop_in_confidence"]
    assert (drops[SPECS[0], 0] != drops[SPECS[2], 0]).mean() > 0.5  # other pixels go in
    noise = table["random"]["iou", SPECS[0]]
    assert (noise[0] != noise[1]).mean() > 0.5


def test_images_that_a_user_or_a_publisher_chose_are_trusted(trained, tmp_path):
    selection, _ = trained
    chosen = {**SETTINGS, "split": f"file:{selection.layout.out}", "out": str(tmp_path)}
    assert not any("comes trained" in each for each in make_plan(select(chosen)).warnings)
