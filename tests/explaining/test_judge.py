"""Models that don't classify are judged by one that does."""

import pandas as pd
import pytest

from xaibench.core import fingerprints, registry
from xaibench.core.errors import XaibenchError
from xaibench.core.store import read_json

PLUGIN = '''
"""A network that only marks."""

from torch import nn

import xaibench


class Marker(xaibench.Model):
    classifies = False
    all_masks = True

    def __init__(self):
        super().__init__(cam_layer=None)
        self.conv = nn.Conv2d(3, 1, 3, padding=1)

    @property
    def abilities(self):
        return frozenset({"saliency"})

    def outputs(self, images, *, saliency=False):
        return xaibench.Outputs(images.new_zeros(len(images), 0), self.conv(images).sigmoid()[:, 0])

    def loss(self, batch):
        assert batch.masked.all()  # whatever the budget
        truth = (batch.masks > 0).float()
        return {"loss": nn.functional.mse_loss(self.outputs(batch.images).saliency, truth)}


@xaibench.model()
def marker() -> Marker:
    """Build one convolution."""
    return Marker()
'''


@pytest.fixture(scope="module")
def marked(small, tmp_path_factory):
    file = tmp_path_factory.mktemp("plugins") / "marker_plugin.py"
    file.write_text(PLUGIN, "utf-8")
    return {
        **small, "plugin": (*small["plugin"], str(file)), "models": ("marker", "pocket"),
        "methods": ("spn", "gradcam"), "mask_fraction": 0.25,
    }  # fmt: skip


@pytest.fixture(scope="module")
def judged(marked, run_cells, tmp_path_factory):
    outcome = run_cells(marked, tmp_path_factory.mktemp("judged") / "out")
    assert not outcome.failures
    return outcome.out


def test_a_judge_gives_confidences_and_no_prediction_is_made_up(judged):
    scores = pd.read_csv(judged / "scores.csv")
    mine = scores[(scores["model"] == "marker") & (scores["metric"] == "drop_in_confidence")]
    assert set(mine["method"]) == {"spn"}
    assert mine["value"].notna().all()
    predictions = pd.read_csv(judged / "predictions.csv").set_index("model")
    assert predictions.loc["marker", "prediction"].isna().all()
    assert predictions.loc["marker", "confidence_0"].isna().all()
    assert predictions.loc["pocket", "prediction"].notna().all()


def test_run_json_tells_who_judges_and_who_saw_all_masks(judged):
    run = read_json(judged / "run.json")
    assert run["protocol"]["judge"] == "pocket"
    assert run["models"]["marker"]["all_masks"]
    assert not run["models"]["pocket"]["all_masks"]
    assert {"what": "gradcam on marker", "reason": "marker doesn't classify"} in run["skipped"]


@pytest.mark.slow
def test_the_board_says_so_and_the_second_plan_is_empty(judged, marked, plan_of, call):
    code, _, _ = call("report", judged)
    assert code == 0
    board = pd.read_csv(judged / "leaderboard.csv")
    row = board[(board["model"] == "marker") & (board["method"] == "spn")].iloc[0]
    assert row["mask_budget"] == 1
    classified = pd.read_csv(judged / "classification.csv")
    assert list(classified["model"]) == ["pocket"]
    assert not plan_of(marked, judged).jobs


def test_another_judge_makes_new_scores(judged, marked, plan_of):
    plan = plan_of(marked, judged, judge="pocket[width=4]")
    assert [job.model for job in plan.jobs] == ["marker"]


def test_a_judge_beside_the_models_is_trained_for_it(marked, run_cells, tmp_path):
    outcome = run_cells(
        marked, tmp_path / "out", models=("marker",), methods=("spn",), judge="pocket"
    )
    scores = pd.read_csv(outcome.out / "scores.csv")
    assert set(scores["model"]) == {"marker"}
    assert scores["value"].notna().any()
    assert list((outcome.out / "models").rglob("pocket/seed0/model.pt"))


@pytest.mark.slow
def test_an_edit_of_a_judge_beside_the_models_makes_its_scores_again(
    marked, plan_of, run_cells, tmp_path
):
    path = tmp_path / "arbiter.py"
    code = (
        "from torch import nn\n\nimport xaibench\n\n\n@xaibench.model()\n"
        "def arbiter(classes):\n    layers = nn.Conv2d(3, {}, 3), nn.AdaptiveAvgPool2d(1)\n"
        "    return xaibench.Classifier(nn.Sequential(*layers, nn.Flatten(), "
        "nn.Linear({}, classes)), cam_layer='0')\n"
    )
    given = {
        **marked, "plugin": (*marked["plugin"], str(path)), "judge": "arbiter",
        "models": ("marker",), "methods": ("spn",),
    }  # fmt: skip

    def edit(width):
        path.write_text(code.format(width, width), "utf-8")
        registry._loaded_files.discard(path.resolve())
        fingerprints._read.cache_clear()
        fingerprints.code_of.cache_clear()

    def drops():
        table = pd.read_csv(tmp_path / "out" / "scores.csv")
        return table.loc[table["metric"] == "drop_in_confidence", "value"].tolist()

    edit(2)
    run_cells(given, tmp_path / "out")
    assert not plan_of(given, tmp_path / "out").jobs
    before = drops()
    edit(3)
    assert [job.methods for job in plan_of(given, tmp_path / "out").jobs] == [("spn",)]
    run_cells(given, tmp_path / "out")
    assert drops() != before
    assert not plan_of(given, tmp_path / "out").jobs


@pytest.mark.slow
def test_a_judge_beside_the_models_is_trained_by_several_processes(marked, run_cells, tmp_path):
    outcome = run_cells(
        marked, tmp_path / "out", models=("marker",), methods=("spn",), judge="pocket", replicas=2
    )
    assert not outcome.failures
    assert list((outcome.out / "models").rglob("pocket/seed0/model.pt"))


def test_without_a_judge_faithfulness_is_skipped_with_the_reason(marked, plan_of, tmp_path):
    plan = plan_of(marked, tmp_path, models=("marker",), methods=("spn",))
    skipped = {skip.what: skip.reason for skip in plan.skips}
    assert "--judge" in skipped["drop_in_confidence"]
    assert "iou" in {metric.spec for metric in plan.metrics}


def test_a_model_whose_own_map_nobody_asks_for_is_not_trained(marked, plan_of, tmp_path):
    plan = plan_of({**marked, "methods": ("gradcam",)}, tmp_path, controls=True)
    assert [job.model for job in plan.jobs] == ["pocket"]
    skipped = {skip.what: skip.reason for skip in plan.skips}
    assert skipped["marker"] == "no method and no analysis asks for what it gives"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"judge": "marker"}, "--judge marker: it doesn't classify"),
        ({"models": ("marker",), "target": "predicted"}, "--target predicted: no model"),
    ],
)
def test_what_can_not_judge_is_told(marked, plan_of, tmp_path, changed, said):
    with pytest.raises(XaibenchError, match=said):
        plan_of({**marked, "methods": ("spn",)}, tmp_path, **changed)
