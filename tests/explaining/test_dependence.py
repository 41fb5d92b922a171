"""Dependence on the decision: what changes with the class and with random last layers."""

import json
import shutil

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from xaibench.core.rank_correlation import rank_correlation
from xaibench.explaining.dependence import images_of, known_dependence, runner_up
from xaibench.report.facts.material import read_material
from xaibench.report.judging.chapter import judge_all
from xaibench.report.wording.document import to_markdown
from xaibench.results.tables import DEPENDENCE, read_table
from xaibench.setup.cells import Ledger
from xaibench.setup.selection import select
from xaibench.training.trained import load_model

ROW = ["fold", "seed", "model", "method"]


def costs_of(out):
    return read_table(out / "costs.csv").set_index(ROW)[list(DEPENDENCE)]


def test_rank_correlation_is_spearmans_with_ties_and_marks_what_orders_nothing():
    ours = np.random.default_rng(0).integers(0, 4, (3, 5, 7)).astype(np.float32)
    theirs = np.random.default_rng(1).integers(0, 3, (3, 5, 7)).astype(np.float32)
    wanted = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(ours, theirs, strict=True)]
    np.testing.assert_allclose(rank_correlation(ours, theirs), wanted)
    flat = np.zeros((1, 5, 7))
    assert rank_correlation(flat, flat) == 1
    assert np.isnan(rank_correlation(flat, ours[:1]))


def test_the_runner_up_is_the_best_of_the_others():
    logits = torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 4.0]])
    assert runner_up(logits, torch.tensor([1, 2])).tolist() == [2, 0]


@pytest.mark.slow
def test_every_training_and_method_is_measured_and_only_maps_of_the_decision_change(finished_run):
    table = costs_of(finished_run.out)
    methods = table.index.get_level_values("method")
    assert len(table) == 2 * 2 * len(finished_run.leaderboard)  # folds x seeds
    unmoved = table[methods.isin(["spn", "center", "sobel", "random", "average_mask", "oracle"])]
    assert (unmoved == 0).all(axis=None)
    moved = table[methods == "gradcam"]
    assert (moved > 0).all(axis=None)
    assert (moved <= 2).all(axis=None)


def test_the_board_has_the_mean_over_trainings_and_the_smaller_of_both(finished_run):
    board = finished_run.leaderboard.set_index(["model", "method"])
    mean = costs_of(finished_run.out).groupby(["model", "method"]).mean()
    for key, changes in mean.iterrows():
        np.testing.assert_allclose(board.loc[key, list(DEPENDENCE)].astype(float), changes)
        assert board.loc[key, "dependence"] == pytest.approx(changes.min())


def cam_by_hand(model, images, classes):
    """Grad-CAM of a pocket network, ``(B, 32, 32)``, by autograd alone."""
    activations = model.network[:4](model.normalize(images)).detach().requires_grad_()
    logits = model.network[4:](activations)
    (gradients,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), activations)
    maps = (gradients.mean(dim=(2, 3), keepdim=True) * activations).sum(dim=1).relu()
    large = torch.nn.functional.interpolate(maps[:, None], (32, 32), mode="bilinear")
    return large[:, 0].detach()


def test_the_change_with_the_class_is_that_of_maps_made_by_hand(finished_run, settings):
    selection = select({**settings, "out": str(finished_run.out)})
    ledger = Ledger(selection, 0, selection.model("pocket"), 0)
    chosen = images_of(ledger)
    assert len(chosen) == 8  # a third of 24
    images = torch.stack([torch.tensor(selection.loader.load(sample).image) for sample in chosen])
    images = images.permute(0, 3, 1, 2) / 255
    model = load_model(ledger)
    said = model.outputs(images).logits.argmax(dim=1)
    pairs = zip(cam_by_hand(model, images, said), cam_by_hand(model, images, 1 - said), strict=True)
    found = []
    for ours, theirs in pairs:
        if ours.max() > 0 < theirs.max():
            found.append(spearmanr(ours.ravel(), theirs.ravel()).statistic)
        else:  # a constant map orders nothing, but is like another one
            found.append(float(ours.max() == theirs.max() == 0))
    known = known_dependence(ledger.cell_state(selection.methods[0]))
    assert (known.method, known.images, known.layers) == ("gradcam", 8, ["network.6"])
    assert known.dependence_runner_up == pytest.approx(1 - np.mean(found), abs=2e-3)


@pytest.fixture
def copy(finished_run, tmp_path):
    return shutil.copytree(finished_run.out, tmp_path / "copy")


@pytest.mark.slow
def test_it_is_resumed_by_itself_and_switched_off_by_an_option(copy, settings, plan_of, run_cells):
    assert plan_of(settings, copy).jobs == []
    (lost,) = copy.glob("cells/*/kfold-2-fold1/pocket/seed1/gradcam/dependence.json")
    before = json.loads(lost.read_text("utf-8"))
    lost.unlink()
    (job,) = plan_of(settings, copy).jobs
    assert (job.methods, job.dependence) == ((), ("gradcam",))
    assert plan_of(settings, copy, dependence=False).jobs == []
    scores = (copy / "scores.csv").read_bytes()
    run_cells(settings, copy)
    assert (copy / "scores.csv").read_bytes() == scores
    after = json.loads(lost.read_text("utf-8"))
    assert [after[name] for name in DEPENDENCE] == [before[name] for name in DEPENDENCE]
    assert plan_of(settings, copy).jobs == []


@pytest.mark.slow
def test_a_run_without_it_has_an_empty_column_and_no_learned_map_is_a_witness(
    copy, settings, run_cells
):
    for record in copy.glob("cells/**/dependence.json"):
        record.unlink()
    run_cells(settings, copy, dependence=False)
    contents = judge_all(read_material(copy), copy)
    assert contents.board["dependence"].isna().all()
    table = contents.chapters[0].decisions.set_index("method")
    assert table.loc["spn", "attention_is"] == "not measured"
    assert "| dependence |" not in to_markdown(contents, copy)


@pytest.mark.slow
def test_models_that_do_not_classify_have_none(small, run_cells, tmp_path):
    models = ("pocket", "modified_vae")
    run_cells({**small, "models": models, "methods": ("gradcam", "residual")}, tmp_path / "out")
    table = costs_of(tmp_path / "out").reset_index()
    assert table.loc[table["model"] == "modified_vae", list(DEPENDENCE)].isna().all(axis=None)
    assert table.loc[table["model"] == "pocket", list(DEPENDENCE)].notna().all(axis=None)
