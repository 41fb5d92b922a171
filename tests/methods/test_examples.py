"""The examples' methods: they keep all rules, and run beside each other."""

from pathlib import Path

import pandas as pd
import pytest

from xaibench.checks.run import check_plugin, find
from xaibench.running.plan import make_plan
from xaibench.running.run import run_plan
from xaibench.setup.selection import select

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("multi_layer_fusion", "opticam_short", "rollout_short", "fastshap_short")
FEWER = {"opticam_short": "opticam_short[steps=2]", "fastshap_short": "fastshap_short[epochs=1]"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_example_breaks_no_rule(name):
    (bound,) = find(str(EXAMPLES / f"{name}.py"))
    report = check_plugin(bound)
    assert report.broken == 0, list(report.lines())


@pytest.mark.slow
def test_the_examples_run_beside_each_other(tmp_path):
    options = {
        "dataset": "phantom[images=24]",
        "plugin": tuple(str(EXAMPLES / f"{name}.py") for name in NAMES),
        "models": ("small_resnet", "timm/test_vit"),
        "methods": [FEWER.get(name, name) for name in NAMES],
        "metrics": ("iou",),
        "recipe": "published",
        "epochs": 1,
        "image_size": 160,
        "weights": "none",
        "controls": False,
        "dependence": False,
        "out": str(tmp_path),
    }
    selection = select(options)
    outcome = run_plan(selection, make_plan(selection), "a test")
    assert outcome.failures == {}
    scores = pd.read_csv(tmp_path / "scores.csv")
    done = scores["method"].str.partition("[")[0].groupby(scores["model"]).unique()
    assert set(done["timm/test_vit"]) == set(NAMES)
    assert set(done["small_resnet"]) == set(NAMES) - {"rollout_short"}
    assert any(skip.what == "rollout_short on small_resnet" for skip in outcome.skips)
