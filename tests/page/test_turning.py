"""Points in space that a reader turns."""

import json

import numpy as np
import pandas as pd
import pytest

from xaibench.core.findings import Scatter
from xaibench.report.judging.analyses import Analysis
from xaibench.report.page.templating import source
from xaibench.report.page.turning import turning_points
from xaibench.results.work_records import AnalysisRecord

SPACE = Scatter("space", "Points", ("x", "y", "z"))


def analyzed(folder):
    """Three images of two classes, one of which has no place."""
    pd.DataFrame(
        {
            "sample": ["s0", "s1", "s2"],
            "group": ["", "", ""],
            "class": ["b", "</script>", "b"],
            "x": [0.0, 4.0, np.nan],
            "y": [7.0, 7.0, 7.0],
            "z": [-1.0, -2.0, 0.0],
        }
    ).to_csv(folder / "images.csv", index=False)
    return Analysis(folder, AnalysisRecord(classes=["b", "</script>"]))


def test_points_fill_a_cube_and_end_no_script(tmp_path):
    found = turning_points(analyzed(tmp_path), SPACE)
    assert "</" not in found
    data = json.loads(found)
    assert data["axes"] == ["x", "y", "z"]
    assert [(cloud["name"], cloud["points"]) for cloud in data["clouds"]] == [
        ("b", [[-1.0, 0.0, 1.0]]), ("</script>", [[1.0, 0.0, -1.0]]),
    ]  # fmt: skip
    assert not turning_points(analyzed(tmp_path), Scatter("flat", "Points", ("x", "y")))


@pytest.mark.slow
def test_keys_and_the_pointer_turn_them(tmp_path, look):
    data = turning_points(analyzed(tmp_path), SPACE)
    page = tmp_path / "page.html"
    page.write_text(
        '<figure><div class="drawing" aria-label="Points">still</div>'
        f'<script type="application/json" class="space">{data}</script></figure>'
        f"<script>{source('turn.js')}</script>",
        "utf-8",
    )
    canvas = (opened := look(page)).locator("canvas.turning")
    assert not opened.locator(".drawing").is_visible()
    assert opened.locator(".clouds li").all_inner_texts() == ["b", "</script>"]
    assert canvas.get_attribute("aria-label").startswith("Points. Arrow keys turn it")
    views = [canvas.get_attribute("data-view")]
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    canvas.focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
        opened.keyboard.press(key)
        views.append(canvas.get_attribute("data-view"))
    assert len(set(views[:4])) == 4
    assert views[4] == views[0]
    assert canvas.evaluate("canvas => canvas.toDataURL()") == before
    place = canvas.bounding_box()
    opened.mouse.move(place["x"] + 50, place["y"] + 50)
    opened.mouse.down()
    opened.mouse.move(place["x"] + 90, place["y"] + 50)
    opened.mouse.up()
    assert canvas.get_attribute("data-view") not in views
    opened.keyboard.press("Home")
    assert canvas.get_attribute("data-view") == views[0]
