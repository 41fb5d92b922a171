"""Renamed plugins: an earlier name is taken, and what was stored under it stays."""

import logging
import shutil
from pathlib import Path

import pandas as pd
import pytest
from plugin_files import forget_plugin_files

from xaibench.core.aliases import tell_alias
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind, load_plugin_file, plugins
from xaibench.report.facts.material import read_material
from xaibench.report.judging.analyses import read_analyses
from xaibench.results.todays_names import todays_spec
from xaibench.running.collect import load_scores

METRIC = '''
import xaibench
from torch import Tensor

@xaibench.metric(higher_is_better=True{aliases})
def {name}(maps: Tensor, *, power: float = 1.0) -> Tensor:
    """Return the mean of a map's power."""
    return maps.flatten(1).pow({power}).mean(dim=1)
'''


@pytest.fixture
def declare(tmp_path):
    """Write a metric's file and forget those of before, as a later process would."""

    def write(name, aliases="", power="power"):
        forget_plugin_files()
        tell_alias.cache_clear()
        folder = tmp_path / f"code-{name}-{power}"
        folder.mkdir(exist_ok=True)
        file = folder / "mine.py"
        file.write_text(METRIC.format(name=name, aliases=aliases, power=power), "utf-8")
        return str(file)

    yield write
    forget_plugin_files()


def stamps(out):
    paths = [*out.glob("cells/**/*"), *out.glob("models/**/*")]
    return {path: path.stat().st_mtime_ns for path in paths if path.is_file()}


@pytest.mark.slow
def test_scores_of_the_earlier_name_are_read_under_the_new_one(
    small, plugin_file, run_cells, plan_of, declare, tmp_path, caplog
):
    out = tmp_path / "out"
    asked = ("iou", "brightness", "brightness[power=2.0]")
    run_cells(small, out, plugin=(str(plugin_file), declare("brightness")), metrics=asked)
    before, scores = stamps(out), load_scores(out)
    hashed = read_material(out).run.protocol_hash

    later = (str(plugin_file), declare("glow", ', aliases=("brightness", "shine")'))
    load_plugin_file(Path(later[1]))
    new = scores.replace({"brightness": "glow", "brightness[power=2.0]": "glow[power=2.0]"})
    pd.testing.assert_frame_equal(load_scores(out), new)  # as it lies there
    material = read_material(out)
    assert [*material.run.metrics] == ["iou", "glow", "glow[power=2.0]"]
    assert set(material.scores["metric"]) == {"iou", "glow", "glow[power=2.0]"}

    named = ("iou", "brightness", "shine[power=2.0]")
    with caplog.at_level(logging.INFO, "xaibench"):
        plan = plan_of(small, out, plugin=later, metrics=named)
    assert (plan.done, plan.jobs) == (plan.cells, [])
    told = [r.getMessage() for r in caplog.records if "is called" in r.getMessage()]
    assert told == [f"note: metric '{name}' is called 'glow' now"
                    for name in ("brightness", "shine")]  # fmt: skip
    run_cells(small, out, plugin=later, metrics=named)
    assert stamps(out) == before
    assert ",glow," in (out / "scores.csv").read_text("utf-8")
    pd.testing.assert_frame_equal(load_scores(out), new)
    assert read_material(out).run.protocol_hash == hashed

    added = (*named, "glow[power=3.0]")  # joins what is stored under either name
    run_cells(small, out, plugin=later, metrics=added)
    found = load_scores(out)
    assert set(found["metric"]) == {"iou", "glow", "glow[power=2.0]", "glow[power=3.0]"}
    kept = found[found["metric"] != "glow[power=3.0]"].reset_index(drop=True)
    order = ["sample", "metric"]
    pd.testing.assert_frame_equal(
        kept.sort_values(order, ignore_index=True), new.sort_values(order, ignore_index=True)
    )


def test_another_code_under_the_new_name_is_computed_again(
    small, plugin_file, run_cells, plan_of, declare, tmp_path
):
    out = tmp_path / "out"
    asked = {"metrics": ("brightness",), "methods": ("gradcam",)}
    run_cells(small, out, plugin=(str(plugin_file), declare("brightness")), **asked)
    other = declare("glow", ', aliases=("brightness",)', power="(2 * power)")
    assert plan_of(small, out, plugin=(str(plugin_file), other), **asked).done == 0


def test_every_kind_of_plugin_is_found_by_its_earlier_names(declare):
    load_plugin_file(Path(declare("glow", ', aliases=("brightness",)')))
    assert bind("metric", "brightness[power=2.0]").spec == "glow[power=2.0]"
    assert bind("metric", "glow").first_spec == "brightness"
    stored = ["iou", "brightness[power=2.0]", "glow", "nobody's"]
    named = ["iou", "glow[power=2.0]", "glow", "nobody's"]
    assert [todays_spec("metric", spec) for spec in stored] == named


NETWORK = """
import xaibench
from torch import nn

@xaibench.model({alias})
def {name}(classes: int, weights: str, *, width: int = 4) -> xaibench.Classifier:
    \"\"\"Build one convolution.\"\"\"
    layers = [nn.Conv2d(3, width, 3, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return xaibench.Classifier(nn.Sequential(*layers, nn.Linear(width, classes)), cam_layer="0")
"""
DRAWN = """
import xaibench

@xaibench.method({alias})
def {name}(images, generator):
    \"\"\"Return noise of the image's own.\"\"\"
    return images[:, 0] * 0 + generator.uniform(*images.shape[2:])
"""


@pytest.mark.slow
def test_models_and_methods_keep_what_was_stored_under_their_earlier_names(
    small, run_cells, plan_of, tmp_path
):
    def declare(*names, alias=("", "")):
        forget_plugin_files()
        files = [str(tmp_path / f"{name}.py") for name in names]
        for file, source, name, given in zip(files, (NETWORK, DRAWN), names, alias, strict=True):
            Path(file).write_text(source.format(name=name, alias=given), "utf-8")
        model = f"{names[0]}[width=5]"
        return {**small, "plugin": files, "models": (model,), "methods": (names[1], "gradcam"),
                "metrics": ("iou",), "analyses": ("pca",)}  # fmt: skip

    out = tmp_path / "out"
    before = declare("thimble", "noise")
    run_cells(before, out)
    stored, scores = stamps(out), load_scores(out)
    material = read_material(out)
    numbers = [each.about.numbers for each in read_analyses(out)]

    now = declare("cup", "static", alias=('aliases=("thimble",)', 'aliases=("noise",)'))
    for file in now["plugin"]:
        load_plugin_file(Path(file))
    new = scores.replace({"thimble[width=5]": "cup[width=5]", "noise": "static"})
    pd.testing.assert_frame_equal(load_scores(out), new)  # as it lies there
    run = read_material(out).run
    assert ([*run.models], [*run.methods]) == (["cup[width=5]"], ["static", "gradcam"])
    assert run.protocol_hash == material.run.protocol_hash
    assert [each.about.numbers for each in read_analyses(out)] == numbers
    assert {each.place.model for each in read_analyses(out)} == {"cup[width=5]"}

    plan = plan_of(now, out)
    assert (plan.jobs, plan.trainings, plan.done) == ([], [], plan.cells)
    run_cells(now, out)
    assert stamps(out) == stored
    pd.testing.assert_frame_equal(load_scores(out), new)
    shutil.rmtree(out / "cells")
    shutil.rmtree(out / "models")
    run_cells(now, out)  # the same random numbers under the new names
    pd.testing.assert_frame_equal(load_scores(out), new)


@pytest.mark.parametrize(("name", "aliases"), [("glow", ', aliases=("iou",)'), ("iou_area", "")])
def test_a_name_that_another_has_is_refused(declare, name, aliases):
    with pytest.raises(XaibenchError, match=r"iou"):
        load_plugin_file(Path(declare(name, aliases)))
    assert "glow" not in plugins("metric")
