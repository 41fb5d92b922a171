"""A method that learns once for each trained model: stored, resumed, charged, and within budget."""

import json
import math

import pandas as pd
import pytest
import torch

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import method
from xaibench.explaining.training_set import training_set
from xaibench.report.write import write_report
from xaibench.setup.selection import select

PLUGIN = '''
"""A map of the masks that may be seen, weighed while it learns."""

import os

import torch
from torch import nn

import xaibench


def learn(training_images, training_masks, predict, network, device, resumable, *, steps: int = 3):
    place = nn.Parameter(torch.zeros(training_images[:1].shape[2:]))
    part = nn.ParameterList([place])
    for step in resumable(steps, part):
        if os.environ.get("STOP_AT") == str(step):
            raise KeyboardInterrupt
        predict(training_images[[0, 1]])
        seen = training_masks[training_masks.seen]
        assert not training_masks[~training_masks.seen].any()
        with torch.no_grad():
            place += (seen > 0).float().mean(dim=0).cpu() + torch.rand(()) / 1000
    return {"place": place}


@xaibench.method(fit=learn, family="learned", rescale="none", sign="none")
def learned_place(images, fitted, *, scale: float = 0.1):
    """Return the learned place."""
    return (scale * fitted["place"]).expand(len(images), -1, -1)
'''


@pytest.fixture
def learner(small, tmp_path):
    file = tmp_path / "learned_place.py"
    file.write_text(PLUGIN, "utf-8")
    plugins = (*small["plugin"], str(file))
    return {**small, "plugin": plugins, "methods": ("learned_place",), "mask_fraction": 0.5}


@pytest.mark.slow
def test_a_fit_is_resumed_stored_charged_and_told(
    learner, run_cells, plan_of, tmp_path, monkeypatch
):
    out, cut = tmp_path / "out", tmp_path / "cut"
    assert run_cells(learner, out).failures == {}
    monkeypatch.setenv("STOP_AT", "2")
    with pytest.raises(KeyboardInterrupt):
        run_cells(learner, cut)
    monkeypatch.delenv("STOP_AT")
    assert run_cells(learner, cut).failures == {}
    (whole,), (resumed,) = (
        [torch.load(path) for path in root.rglob("fitted.pt")] for root in (out, cut)
    )
    assert torch.equal(whole["place"], resumed["place"])  # random numbers among it
    assert not list(cut.rglob("checkpoint.pt"))

    costs = pd.read_csv(cut / "costs.csv")
    assert costs["fit_forwards"].tolist() == [6.0]  # two images at each of three steps
    assert (costs["fit_seconds"] > 0).all()
    (record,) = (json.loads(path.read_text("utf-8")) for path in cut.rglob("fit.json"))
    assert record["sha256"]
    assert record["made_by"]
    write_report(cut)
    assert "learned_place (learned, masks for 50 %)" in (cut / "leaderboard.md").read_text("utf-8")
    assert plan_of(learner, cut).jobs == []
    # Another number of steps is another fit, and other maps.
    assert len(plan_of({**learner, "methods": ("learned_place[steps=2]",)}, cut).jobs) == 1
    assert "no training mask" in plan_of({**learner, "mask_fraction": 0.0, "methods": (
        "learned_place", "gradcam")}, tmp_path / "blind").skips[0].reason  # fmt: skip


def test_no_way_leads_to_a_mask_that_may_not_be_seen(settings, tmp_path):
    selection = select({**settings, "mask_fraction": 0.3, "out": str(tmp_path)})
    split = selection.split(0)
    found = training_set(selection.loader, split.train, split.seen, torch.device("cpu"))
    masks, truth = found.masks[:], [selection.loader.load(s).mask for s in split.train]
    for row, sample in enumerate(split.train):
        assert found.masks.seen[row] == (sample.id in split.seen)
        shown = torch.from_numpy(truth[row]) if sample.id in split.seen else torch.zeros(32, 32)
        assert torch.equal(masks[row].float(), shown.float())
    assert 0 < int(found.masks.seen.sum()) < len(split.train)
    assert found.images[[3, 1]].shape == (2, 3, 32, 32)
    assert math.isclose(float(found.images[[3]].max()), float(found.images[:][3].max()))


def test_a_fit_and_its_word_go_together():
    def fit(training_masks):
        return {}

    def asks(images, fitted):
        return images[:, 0]

    def plain(images):
        return images[:, 0]

    for function, said, wrong in [
        (asks, {}, "go together"),
        (plain, {"fit": fit}, "go together"),
        (asks, {"fit": fit, "supervision": "labels"}, "asks for training_masks"),
    ]:
        with pytest.raises(XaibenchError, match=wrong):
            method(**said)(function)
