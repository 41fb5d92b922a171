"""A report's figures as files: which there are, and what is in them."""

from xml.etree import ElementTree

import pandas as pd
import pytest
from figure_frames import MARKUP, RUN, make_contents
from frames import NAN, NET, metric, rows_of, run_of

from xaibench.report.facts.material import Material
from xaibench.report.judging.chapter import judge_all
from xaibench.report.pictures.drawing import new_axes, new_figure, save_figure
from xaibench.report.pictures.figures import draw_report
from xaibench.report.pictures.stored import Stored
from xaibench.results.folder import Layout, Place

SVG = "{http://www.w3.org/2000/svg}"


def drawn_of(contents, out):
    return draw_report(contents, Stored(contents.run), out)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    (out / "figures").mkdir()
    for name in ("board-old.svg", "board-old.png", "notes.txt"):
        (out / "figures" / name).touch()
    history = Layout(out).model_folder(Place("busi", "holdout", 0, NET, 0)) / "history.csv"
    history.parent.mkdir(parents=True)
    history.write_text("epoch,validation_loss\n1,0.5\n2,0.4\n")
    return out, drawn_of(make_contents(out), out)


@pytest.mark.slow
def test_a_report_draws_what_there_is_and_nothing_else_lies_there(report):
    out, drawn = report
    names = [f"{subject}-{name}" for subject in ("board", "ranks", "scores", "cost", "slices")
             for name in ("iou", "drop")]  # fmt: skip
    names += ["agreement", "rates", "confusion", "training"]
    assert [figure.name for figure in drawn] == names
    assert [figure.chapter for figure in drawn] == [0] * 11 + [None] * 3
    assert [figure.name.partition("-")[0] for figure in drawn] == [f.subject for f in drawn]
    assert all(figure.title.endswith(".") and figure.alt.endswith(".") for figure in drawn)
    files = {path.name for path in (out / "figures").iterdir()}
    assert files == {f"{name}.{ending}" for name in names for ending in ("svg", "png")} | {
        "notes.txt"
    }


@pytest.mark.slow
def test_every_svg_is_small_plain_xml_with_texts(report):
    out, drawn = report
    for figure in drawn:
        svg = (out / "figures" / f"{figure.name}.svg").read_text("utf-8")
        root = ElementTree.fromstring(svg)
        assert len(svg) < 100_000
        assert next(root.iter(f"{SVG}text")).text
        assert not list(root.iter(f"{SVG}style"))
        assert 'id="figure_1"' not in svg
        assert "DejaVu" not in svg


def test_names_are_shown_as_text_and_the_same_figure_is_the_same_file(tmp_path):
    run = run_of(
        methods={MARKUP: {"family": "cam", "blind": False, "sign": "relu"}},
        metrics={"iou": metric()},
    )
    scores = pd.DataFrame(rows_of(MARKUP, "iou", [0.1, 0.5, 0.4]))
    files = []
    for name in ("one", "two"):
        found = judge_all(Material.of(run, scores), tmp_path)
        drawn = drawn_of(found, tmp_path / name)
        assert {figure.subject for figure in drawn} == {"board", "scores"}
        files.append([path.read_bytes() for path in sorted((tmp_path / name).rglob("*.*"))])
    assert len(files[0]) == 4
    assert files[0] == files[1]
    root = ElementTree.fromstring(files[0][1])
    assert MARKUP in [text.text for text in root.iter(f"{SVG}text")]
    assert b"<script" not in files[0][1]


def test_a_picture_grows_round_what_stands_outside_of_it(tmp_path):
    widths = []
    for label in ("a", "a label that takes a good deal of room"):
        figure, axes = new_axes(1, 0.5)
        axes.set_yticks([0.5], [label])
        save_figure(figure, tmp_path, "any")
        root = ElementTree.fromstring((tmp_path / "any.svg").read_bytes())
        widths.append(float(root.get("width").removesuffix("pt")))
    assert widths[1] > widths[0] + 100


def test_a_sheet_that_lays_itself_out_is_saved_whole(tmp_path):
    figure = new_figure((6, 4), layout="constrained")
    figure.add_subplot().set(xlabel="k", ylabel="accuracy")
    save_figure(figure, tmp_path, "any")
    root = ElementTree.fromstring((tmp_path / "any.svg").read_bytes())
    sides = [float(root.get(side).removesuffix("pt")) for side in ("width", "height")]
    assert sides == pytest.approx([6 * 72, 4 * 72], abs=8)


@pytest.mark.slow
def test_two_chapters_have_names_of_their_own(tmp_path):
    scores = pd.DataFrame(rows_of("gradcam", "iou", [0.1, 0.5, 0.4]))
    both = pd.concat([scores, scores.assign(split="kfold:5")])
    drawn = drawn_of(judge_all(Material.of(RUN, both), tmp_path), tmp_path)
    assert [(figure.name, figure.chapter) for figure in drawn if figure.subject == "board"] == [
        ("busi-holdout-board-iou", 0), ("busi-kfold-5-board-iou", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("values", [[NAN, NAN], []])
def test_where_nothing_is_defined_nothing_is_drawn(values, tmp_path):
    scores = pd.DataFrame(rows_of("gradcam", "iou", values) + rows_of("spn", "iou", [NAN]))
    assert drawn_of(judge_all(Material.of(RUN, scores), tmp_path), tmp_path) == []
    assert not list(tmp_path.iterdir())
