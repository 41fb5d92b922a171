"""Metrics that a map without a network wins are found, and have no leader."""

import shutil

import numpy as np
import pytest
import torch

from xaibench.core.registry import bind
from xaibench.core.store import read_json
from xaibench.diagnostics.blind_maps import KINDS, Recipe, make_maps, recipes
from xaibench.diagnostics.gaming import gaming
from xaibench.diagnostics.run import diagnose
from xaibench.diagnostics.subject import open_subject
from xaibench.explaining.batch import Maps
from xaibench.report.write import write_report
from xaibench.setup.selection import select


@pytest.fixture(scope="module")
def subject(finished):
    options = read_json(finished / "run.json")["options"]
    selection = select({**options, "out": str(finished)})
    chosen = [method for method in selection.methods if method.spec in ("gradcam", "gradient")]
    return open_subject(selection, selection.models[0], chosen, 12)


def stand_in(subject, maps):
    """The subject with the same finished maps for all of its methods."""
    count = len(subject.groups)
    made = Maps(maps, ["ok"] * count)
    return subject.__class__(**{**vars(subject), "maps": dict.fromkeys(subject.maps, made)})


def test_a_metric_whose_methods_are_noise_is_won_and_one_whose_methods_are_true_holds(subject):
    masks = torch.cat([batch.masks for batch in subject.batches]) > 0
    noise = torch.rand(masks.shape, generator=torch.Generator().manual_seed(1))
    for maps, verdict in ((noise, "fail"), (masks.float(), "pass")):
        (found,) = gaming(stand_in(subject, maps), [bind("metric", "iou")], tries=40)
        assert (found.stage, found.verdict, found.n) == ("iou", verdict, 6)
        assert found.values["best_method"] == pytest.approx(
            1.0 if verdict == "pass" else found.values["best_method"]
        )
        assert "mask_and_noise" not in found.why  # the truth is no opponent where it judges


def test_lower_is_better_is_turned(subject):
    ones = torch.ones(len(subject.groups), *subject.images.shape[2:])
    drop = bind("metric", "drop_in_confidence")
    (found,) = gaming(stand_in(subject, ones), [drop], tries=10)  # loses nothing: can't be beaten
    assert found.values["best_method"] == 0
    assert found.verdict in ("pass", "undecided")
    assert [*gaming(subject, [bind("metric", "max_box_acc"), bind("metric", "iou_tuned")])] == []


def test_recipes_take_turns_and_make_maps_of_all_kinds():
    images = torch.rand(2, 3, 24, 33, generator=torch.Generator().manual_seed(2))
    masks = torch.zeros(2, 24, 33, dtype=torch.int8)
    masks[:, 4:11, 20:29] = 1
    found = list(recipes(10, mean_mask=True, masks=True))
    assert [each.kind for each in found] == [*KINDS, *KINDS]
    assert found == list(recipes(10, mean_mask=True, masks=True))
    for recipe in found:
        maps, statuses = make_maps(recipe, images, masks, masks.float().mean(dim=0))
        assert maps.shape == masks.shape
        assert statuses == ["ok"] * 2
        assert (maps.min(), maps.max()) == (0, 1)
    left = {each.kind for each in recipes(12, mean_mask=False, masks=False)}
    assert left == {"blob", "blur", "threshold"}
    blob, _ = make_maps(Recipe("blob", (0.25, 0.75, 0.05, 0.02)), images, masks, None)
    assert np.unravel_index(int(blob[0].argmax()), (24, 33)) == (6, 24)


@pytest.mark.slow
def test_a_metric_that_is_won_has_no_leader_on_the_board(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("xaibench.diagnostics.gaming.TRIES", 8)
    out = shutil.copytree(finished, tmp_path / "out")
    diagnose(out, checks="classifier_dependence", images=8)
    frame = diagnose(out, checks="gaming", images=8)
    assert set(frame["diagnostic"]) == {"classifier_dependence", "gaming"}  # keeps the other
    stages = frame["stage"]  # whatever so few tries found
    frame["verdict"] = ["fail" if stage == "iou" else "pass" for stage in stages]
    frame.to_csv(out / "diagnostics.csv", index=False)
    write_report(out)
    board = (out / "leaderboard.md").read_text("utf-8")
    assert "by IoU ↑ §**" in board
    assert "**No row leads**: the best of 8 maps without a network, " in board
    assert board.count("No row leads") == 1
    assert "§ marks metrics" in board
