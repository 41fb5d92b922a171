"""The report on analyses, from folders written by hand."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import binomtest

from xaibench.core.errors import XaibenchError
from xaibench.report.judging.analyses import ALL, COLUMNS, quantities, read_analyses
from xaibench.report.pictures.analysis_figures import draw_figures
from xaibench.report.wording.analysis_document import analyses_to_markdown, analysis_lines
from xaibench.results.folder import Layout, Place
from xaibench.results.integrity import write_record
from xaibench.stats.rates import wilson

PLACE = Place("set", "holdout", 0, "net[width=2]", 0)
RIGHT, HEAD = [1] * 9 + [0] * 3, [1] * 4 + [0] * 8
FIGURES = [
    {"kind": "Scatter", "name": "flat", "title": "Flat", "columns": ["x", "y"]},
    {"kind": "Scatter", "name": "deep", "title": "Deep", "columns": ["x", "y", "z"]},
    {"kind": "Lines", "name": "curve", "title": "Curve", "table": "curve", "x": "k",
     "y": ["a", "b"], "y_label": "share", "chance": False},
    {"kind": "Histogram", "name": "heap", "title": "Heap", "column": "x", "by": "class",
     "mark": 0.5, "mark_label": "a mark"},
    {"kind": "PictureRows", "name": "strip", "title": "Strip", "headings": ["before", "after"]},
]  # fmt: skip


def write(out, groups=("",) * 12, sha="abc", place=PLACE, right=RIGHT, prefix="s", **changed):
    """One analysis: 12 images, two shares of them, and a number."""
    folder = Layout(out).analysis_folder(place, "made")
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    images = pd.DataFrame({
        "sample": ["NA" + prefix[1:], *(f"{prefix}{i}" for i in range(11))], "group": groups,
        "class": ["cat"] * 5 + ["NA"] * 7, "right": right, "head": HEAD,
        "part": [0.5] * 6 + [np.nan] * 6,
        "x": [np.nan, *rng.random(11)], "y": rng.random(12), "z": rng.random(12),
    })  # fmt: skip
    images.to_csv(folder / "images.csv", index=False)
    Image.fromarray(rng.integers(0, 256, (12, 8, 3), np.uint8)).save(folder / "strip_pixels.png")
    curve = pd.DataFrame({"k": [1, 3, 5], "a": [0.91, 0.93, 0.92], "b": 0.9})
    curve.to_csv(folder / "curve.csv", index=False)
    about = {
        "analysis": "made", **place._asdict(), "model_sha256": "abc", "fingerprint": "f",
        "files": {}, "classes": ["cat", "NA"], "quantities": ["right", "number", "head", "part"],
        "numbers": {"number": -2.5}, "meanings": {"right": "the share", "number": "a number"},
        "bounds": [0.0, 1.0], "paper": None, "pairs": [["right", "head"]], "figures": FIGURES,
        "notes": ["few images"],
    }  # fmt: skip
    write_record(folder / "analysis.json", about | changed)
    model = Layout(out).model_folder(place)
    model.mkdir(parents=True)
    write_record(model / "model.json", {"sha256": sha})
    return folder


@pytest.fixture
def rows(tmp_path):
    write(tmp_path)
    table = quantities(read_analyses(tmp_path))
    assert table.columns.tolist() == COLUMNS
    return table.set_index("quantity")


def test_shares_of_images_that_stand_alone_have_wilsons_interval(rows):
    assert rows.loc["right", ["value", "n"]].tolist() == [0.75, 12]
    assert rows.loc["right", ["low", "high"]].tolist() == pytest.approx(list(wilson(9, 12)))
    assert rows.loc["part", ["value", "n"]].tolist() == [0.5, 6]


def test_folds_are_pooled_over_all_their_images(tmp_path):
    for fold, right in enumerate((RIGHT, HEAD)):
        place = PLACE._replace(split="kfold:2", fold=fold)
        write(tmp_path, place=place, right=right, prefix=f"s{fold}-")
    table = quantities(read_analyses(tmp_path))
    pooled = table[table["fold"] == ALL].set_index("quantity")
    assert pooled["seed"].unique().tolist() == [ALL]
    assert "number" not in pooled.index
    assert pooled.loc["right", ["value", "n"]].tolist() == [13 / 24, 24]
    assert pooled.loc["right", ["low", "high"]].tolist() == pytest.approx(list(wilson(13, 24)))
    assert pooled.loc["right - head", "value"] == pytest.approx(5 / 24)
    assert pooled.loc["right - head", "p"] == pytest.approx(binomtest(5, 5).pvalue)
    table.to_csv(tmp_path / "analyses.csv", index=False)
    first, second, both = analysis_lines(tmp_path)
    assert first.startswith("net[width=2], kfold-2-fold0, seed 0: made: right 0.750 [")
    assert second.startswith("net[width=2], kfold-2-fold1, seed 0: made: right 0.333 [")
    assert both.startswith("net[width=2], all folds and seeds: made: right 0.542 [")


def test_seeds_are_no_new_images_and_their_spread_widens_the_interval(tmp_path):
    for seed, right in enumerate((RIGHT, HEAD)):
        write(tmp_path, place=PLACE._replace(seed=seed), right=right)
    table = quantities(read_analyses(tmp_path)).set_index("quantity")
    pooled, first = table[table["fold"] == ALL].loc["right"], table.iloc[0]
    assert pooled["value"] == pytest.approx((9 + 4) / 24)
    assert pooled["high"] - pooled["low"] > first["high"] - first["low"]


def test_a_number_has_neither_interval_nor_count(rows):
    assert rows.loc["number", "value"] == -2.5
    assert rows.loc["number", ["low", "high", "n", "p"]].isna().all()


def test_a_pair_is_compared_on_the_same_images(rows):
    found = rows.loc["right - head"]
    assert found["value"] == pytest.approx(5 / 12)
    assert found["p"] == pytest.approx(binomtest(5, 5).pvalue)
    assert found["low"] < 5 / 12 < found["high"] <= 1
    assert rows.drop("right - head")["p"].isna().all()


def test_no_difference_may_be_one_to_either_side(tmp_path):
    write(tmp_path, pairs=[["right", "right"]])
    found = quantities(read_analyses(tmp_path)).set_index("quantity").loc["right - right"]
    reach = wilson(0, 12).high
    assert found[["value", "low", "high", "p"]].tolist() == pytest.approx([0, -reach, reach, 1])


def test_few_images_that_tell_two_shares_apart_leave_the_interval_on_both_sides(tmp_path):
    folder = write(tmp_path)
    images = pd.read_csv(folder / "images.csv", keep_default_na=False)
    images["head"] = [0, *RIGHT[1:]]
    images.to_csv(folder / "images.csv", index=False)
    found = quantities(read_analyses(tmp_path)).set_index("quantity").loc["right - head"]
    assert found[["value", "p"]].tolist() == pytest.approx([1 / 12, 1])
    assert found["low"] < 0 < found["high"]


def test_groups_widen_intervals_and_weaken_tests(rows, tmp_path):
    write(tmp_path / "grouped", groups=["p1"] * 3 + ["p2"] * 3 + ["p3"] * 3 + ["p4"] * 3)
    grouped = quantities(read_analyses(tmp_path / "grouped")).set_index("quantity")
    width = grouped["high"] - grouped["low"]
    assert width["right"] > (rows["high"] - rows["low"])["right"]
    assert grouped.loc["right", "high"] <= 1
    assert grouped.loc["right - head", "p"] > rows.loc["right - head", "p"]


def test_analyses_of_a_model_that_is_no_more_and_failures_are_left_out(tmp_path):
    write(tmp_path / "stale", sha="another")
    assert read_analyses(tmp_path / "stale") == []
    folder = write(tmp_path / "failed")
    write_record(folder / "analysis.json", {"analysis": "made", "error": "no luck"})
    assert read_analyses(tmp_path / "failed") == []
    assert quantities([]).columns.tolist() == COLUMNS


def test_a_figure_lies_in_its_analysis_folder(tmp_path):
    path = write(tmp_path) / "analysis.json"
    about = json.loads(path.read_text("utf-8"))
    del about["record_checksum"]
    about["figures"][0]["name"] = "../../elsewhere"
    write_record(path, about)
    with pytest.raises(XaibenchError, match=r"entry 'figures' is wrong \('\.\./\.\./elsewhere'"):
        read_analyses(tmp_path)


@pytest.mark.slow
def test_the_document_has_numbers_meanings_notes_and_links_that_lead_somewhere(tmp_path):
    write(tmp_path)
    found = read_analyses(tmp_path)
    text = "\n\n".join(analyses_to_markdown(found, quantities(found), tmp_path))
    assert "| model | right | number | head | part | right - head |" in text
    assert "| net[width=2] | 0.750 [0.47, 0.91] | -2.500 |" in text
    assert "p = 0.062 |" in text
    assert "- right: the share" in text
    assert "- net[width=2], holdout, seed 0: few images" in text
    draw_figures(found[0])
    links = [line.partition("](<")[2].removesuffix(">)") for line in text.splitlines()]
    linked = [tmp_path / link for link in links if link]
    assert [path.name for path in linked] == [
        "flat.png", "deep.png", "curve.png", "heap.png", "strip.png"
    ]  # fmt: skip
    assert all(path.stat().st_size > 5000 for path in linked)
    strip = linked[-1].with_suffix(".svg").read_text("utf-8")
    assert all(f">{text}</text>" in strip for text in ("before", "after", "NA", "s0", "s1"))
    assert ">s2</text>" not in strip


def test_a_terminal_gets_a_line_for_each(tmp_path):
    write(tmp_path)
    assert not list(analysis_lines(tmp_path))
    quantities(read_analyses(tmp_path)).to_csv(tmp_path / "analyses.csv", index=False)
    (line,) = analysis_lines(tmp_path)
    assert line.startswith("net[width=2], holdout, seed 0: made: right 0.750 [0.47, 0.91], number")


@pytest.mark.slow
def test_the_same_figure_is_the_same_file(tmp_path):
    flat = [figure for figure in FIGURES if figure["name"] == "flat"]
    drawn = []
    for name in ("one", "two"):
        folder = write(tmp_path / name, figures=flat)
        draw_figures(*read_analyses(tmp_path / name))
        drawn.append([(folder / f"flat.{ending}").read_bytes() for ending in ("png", "svg")])
    assert drawn[0] == drawn[1]
    assert b"NA" in drawn[0][1]
