"""A renamed metric: its earlier name is taken, and what was stored under it stays."""

import logging
from pathlib import Path

import pandas as pd
import pytest
from plugin_files import forget_plugin_files

from xaibench.core.aliases import renamed, tell_alias
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind, load_plugin_file, plugins
from xaibench.report.facts.material import read_material
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
    with caplog.at_level(logging.WARNING, "xaibench"):
        plan = plan_of(small, out, plugin=later, metrics=named)
    assert (plan.done, plan.jobs) == (plan.cells, [])
    told = [r.getMessage() for r in caplog.records if "is called" in r.getMessage()]
    assert told == [f"metric '{name}' is called 'glow' now: that is what is used"
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
    assert renamed(plugins("metric"), ["iou", "brightness[power=2.0]", "glow"]) == {
        "brightness[power=2.0]": "glow[power=2.0]"
    }


@pytest.mark.parametrize(("name", "aliases"), [("glow", ', aliases=("iou",)'), ("iou_area", "")])
def test_a_name_that_another_has_is_refused(declare, name, aliases):
    with pytest.raises(XaibenchError, match=r"iou"):
        load_plugin_file(Path(declare(name, aliases)))
    assert "glow" not in plugins("metric")
