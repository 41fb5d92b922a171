"""What a row's maps learned from is declared or recorded, whichever methods are asked."""

import json
from pathlib import Path

import numpy as np
import pytest

from xaibench.core.errors import XaibenchError
from xaibench.core.supervision import declare
from xaibench.report.facts.material import read_material
from xaibench.report.judging.chapter import judge_all
from xaibench.report.wording.document import to_markdown
from xaibench.running.plan import make_plan
from xaibench.setup.selection import select

CHECKPOINTS = str(Path(__file__).parents[1] / "checkpoint_plugins.py")
MODELS = ("pocket", "pocket_saliency", "drawing", "drawing[says=boxes,share=0.4,trained=true]",
          "drawing[trained=true]")  # fmt: skip


@pytest.fixture(scope="module")
def told(small, run_cells, tmp_path_factory):
    """Make a run, and return its table by (model, method) and its document."""

    def make(**changed):
        out = tmp_path_factory.mktemp("supervised") / "out"
        given = {**small, "plugin": (*small["plugin"], CHECKPOINTS), "epochs": 1,
                 "metrics": ("iou",), **changed}  # fmt: skip
        assert run_cells(given, out).failures == {}
        contents = judge_all(read_material(out), out)
        rows = contents.board.set_index(["model", "method"])[["supervision", "mask_budget"]]
        return {key: tuple(row) for key, row in rows.T.to_dict("list").items()}, to_markdown(
            contents, out
        )

    return make


def same(found, wanted):
    assert found.keys() == wanted.keys()
    for key, (kind, share) in wanted.items():
        assert found[key][0] == kind, key
        np.testing.assert_equal(found[key][1], share)


@pytest.mark.slow
def test_each_row_carries_its_own_supervision(told):
    found, text = told(models=MODELS, methods=("gradcam", "spn"))
    nan = np.nan
    trained = MODELS[3:]
    same(found, {
        ("pocket", "gradcam"): ("labels", nan),
        ("pocket_saliency", "gradcam"): ("masks", 0.25),
        ("pocket_saliency", "spn"): ("masks", 0.25),
        ("drawing", "gradcam"): ("labels", nan),
        ("drawing", "spn"): ("labels", nan),
        (trained[0], "gradcam"): ("boxes", 0.4),
        (trained[0], "spn"): ("boxes", 0.4),
        (trained[1], "gradcam"): ("", nan),
        (trained[1], "spn"): ("", nan),
    })  # fmt: skip
    for row in ("| spn (learned, masks for 25 %) | pocket_saliency |",
                "| spn (learned, labels) | drawing |",
                f"| spn (learned, boxes for 40 %) | {trained[0]} |",
                f"| spn (learned, from what is not declared) | {trained[1]} |",
                "| gradcam | pocket_saliency † |", "| gradcam | drawing |"):  # fmt: skip
        assert row in text
    assert f"{trained[1]}: it comes trained, with maps of its own, and doesn't declare" in text


@pytest.mark.slow
def test_a_cam_alone_keeps_the_mark_of_its_network(told):
    found, text = told(models=("pocket_saliency",), methods=("gradcam",))
    same(found, {("pocket_saliency", "gradcam"): ("masks", 0.25)})
    assert "| gradcam | pocket_saliency † |" in text


def test_without_a_mask_to_see_none_was_used(told):
    found, _ = told(models=("pocket_saliency",), methods=("spn",), mask_fraction=0)
    same(found, {("pocket_saliency", "spn"): ("labels", np.nan)})


def test_maps_that_need_no_mask_are_asked_on_a_dataset_without_any(small, tmp_path):
    given = {**small, "plugin": (*small["plugin"], CHECKPOINTS), "dataset": "bare",
             "methods": ("spn",), "metrics": ("artifacts",), "out": str(tmp_path)}  # fmt: skip
    assert make_plan(select({**given, "models": ("drawing[says=labels]",)})).cells == 1
    with pytest.raises(XaibenchError, match="no masks to learn from"):
        make_plan(select({**given, "models": ("drawing",)}))


@pytest.mark.parametrize(("kind", "share"), [("scribbles", 1.0), ("masks", 0.0), ("masks", 1.5)])
def test_what_is_declared_must_be_known(kind, share):
    with pytest.raises(XaibenchError, match=r"choose one of none, labels|above 0"):
        declare("model", kind, share)


@pytest.mark.slow
def test_the_record_is_the_models(told, small, run_cells, tmp_path):
    out = tmp_path / "out"
    run_cells({**small, "epochs": 1}, out, models=("pocket_saliency", "autoencoder"),
              methods=("spn", "residual"), judge="pocket", image_size=64)  # fmt: skip
    kept = {path.parent.parent.name: json.loads(path.read_text("utf-8"))["supervision"]
            for path in out.rglob("model.json")}  # fmt: skip
    assert kept == {
        "pocket": {"kind": "labels", "share": 1.0},
        "pocket_saliency": {"kind": "masks", "share": 0.25},
        "autoencoder": {"kind": "none", "share": 1.0},
    }
