"""A run's figures, read back from what was drawn."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from figure_frames import BASE, MARKUP, RUN, make_contents
from frames import NAN, NET, metric, rows_of, run_of
from matplotlib.container import BarContainer
from scipy.stats import rankdata

from xaibench.report.facts.material import Material
from xaibench.report.facts.proper_names import method_name
from xaibench.report.judging.chapter import judge_all
from xaibench.report.judging.tested import LEVEL
from xaibench.report.pictures.agreement_figure import draw_agreement
from xaibench.report.pictures.classes_figure import draw_classes
from xaibench.report.pictures.confusion_figure import draw_confusion
from xaibench.report.pictures.cost_figure import draw_cost
from xaibench.report.pictures.history_figure import draw_history
from xaibench.report.pictures.interval_figure import draw_intervals
from xaibench.report.pictures.placement import place_labels
from xaibench.report.pictures.ranks_figure import draw_ranks, tie_ranks
from xaibench.report.pictures.rates_figure import draw_rates
from xaibench.report.pictures.scores_figure import draw_scores
from xaibench.report.pictures.slices_figure import draw_slices
from xaibench.results.folder import Place
from xaibench.stats.pareto import pareto_front
from xaibench.stats.ranks import mean_ranks
from xaibench.stats.rates import wilson


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    return make_contents(tmp_path_factory.mktemp("none"))


def only(contents):
    (chapter,) = contents.chapters
    return chapter


def in_points(figure):
    """Return the values and the ends of all error bars: row of the picture -> numbers."""
    found = {}
    for bars in figure.axes[0].containers:
        line, _, (ends,) = bars.lines
        for x, y, segment in zip(*line.get_data(), ends.get_segments(), strict=True):
            found[float(y)] = (x, segment[0][0], segment[1][0])
    return [found[y] for y in sorted(found)]


def texts_of(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(("name", "way"), [("iou", -1), ("drop", 1)])
def test_the_forest_plot_has_the_boards_numbers_in_its_order(contents, name, way):
    figure = draw_intervals(only(contents), RUN, name).figure
    board = contents.board.assign(control=contents.board["kind"] == "control", cost=0.0)
    board = board.assign(cost=way * board[name]).sort_values(["control", "cost"])
    assert np.allclose(in_points(figure), board[[name, f"{name}_low", f"{name}_high"]])
    axes = figure.axes[0]
    names = [method_name(method) for method in board["method"]]
    labels = [text for text in texts_of(axes) if text.startswith(tuple(names))]
    lacking = {"HiResCAM": "HiResCAM (29 of 30 maps)"}
    assert labels == [lacking.get(name, name) for name in names]
    letters = {(text.get_position()[1], text.get_text()) for text in axes.texts}
    for row, ties in enumerate(board[f"{name}_ties"]):
        assert all((row, letter) in letters for letter in ties)
    (blind,) = (line for line in axes.lines if line.get_label() == "best blind control")
    assert set(blind.get_xdata()) == {board[name].iloc[-1]}
    learned = next(bars for bars in axes.containers if bars.get_label() == "learned")
    assert learned.lines[0].get_marker() == "s"


def test_what_a_picture_shows_is_said_in_words(contents):
    title, alt = draw_intervals(only(contents), RUN, "iou")[1:]
    row = contents.board.set_index("method").loc["spn"]
    assert title.startswith("iou ↑ on BUSI, holdout")
    assert f"4 rows by iou ↑: SPN has the best mean, {row['iou']:.3f} [" in alt
    assert "best blind control Center 0.400" in alt
    assert "last is RISE (a=x|y) with 0." in alt


def test_a_row_that_lacks_images_is_no_leader(tmp_path):
    scores = rows_of("gradcam", "iou", [0.5, 0.4, 0.3]) + rows_of("spn", "iou", [0.9, 0.8, NAN])
    found = judge_all(Material.of(RUN, pd.DataFrame(scores)), tmp_path)
    assert ": Grad-CAM has the best mean, 0.400" in draw_intervals(only(found), RUN, "iou").alt


def test_mean_ranks_share_ties_and_use_lines_that_all_have():
    scores = np.array([[0.9, 0.9, 0.1], [0.2, 0.3, 0.3], [NAN, 0.9, 0.1], [0.5, 0.4, 0.45]])
    assert mean_ranks(scores, higher_is_better=True).tolist() == pytest.approx(
        [(1.5 + 3 + 1) / 3, (1.5 + 1.5 + 3) / 3, (3 + 1.5 + 2) / 3]
    )
    lower = mean_ranks(scores, higher_is_better=False)
    assert lower == pytest.approx(np.mean([rankdata(scores[at]) for at in (0, 1, 3)], axis=0))
    assert np.isnan(mean_ranks([[NAN, 1.0]], higher_is_better=True)).all()


def test_bars_join_exactly_the_rows_that_are_not_told_apart(contents):
    chapter = only(contents)
    axes = draw_ranks(chapter, RUN, "iou").figure.axes[0]
    values = chapter.section.values["iou"][:, chapter.section.ranked]
    ranks = mean_ranks(values, higher_is_better=True)
    bars = [set(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"]
    assert len(bars) == len([text for text in texts_of(axes) if len(text) == 1])
    tied = []
    for one, other in itertools.combinations(range(len(ranks)), 2):
        p = chapter.judged["iou"].p[one, other]
        tied.append(p >= LEVEL)
        assert tied[-1] == any({ranks[one], ranks[other]} <= bar for bar in bars)
    assert True in tied
    assert False in tied
    for place, rank in zip(chapter.section.ranked, ranks, strict=True):
        method = chapter.section.rows[place].method
        ties, name = " ".join(chapter.judged["iou"].ties[place]), method_name(method)
        shown = [text for text in texts_of(axes) if name in text]
        assert len(shown) == 1
        assert {ties, f"{rank:.2f}"} <= set(shown[0].split("  "))


def test_a_bar_has_dots_for_its_own_rows_only():
    groups = tie_ranks(["a", "b", "ac", "b", "c", "z1"], np.array([1.0, 2.5, 3.0, 4.0, 2.0, 6.0]))
    assert {letter: group.tolist() for letter, group in groups.items()} == {
        "a": [1, 3], "b": [2.5, 4], "c": [2, 3],
    }  # fmt: skip


def test_rows_of_one_rank_share_a_line_and_a_bar_that_is_seen(tmp_path):
    same = [0.5, 0.4, 0.3, 0.6, 0.2, 0.1]
    scores = [row for method in ("gradcam", "hirescam") for row in rows_of(method, "iou", same)]
    scores += rows_of("spn", "iou", [0.9, 0.8, 0.95, 0.85, 0.92, 0.99])
    chapter = only(judge_all(Material.of(RUN, pd.DataFrame(scores)), tmp_path))
    axes = draw_ranks(chapter, RUN, "iou").figure.axes[0]
    stems = [
        line
        for line in axes.lines
        if len(set(line.get_xdata())) == 1 and line.get_marker() == "None"
    ]
    assert sorted(line.get_xdata()[0] for line in stems) == [1, 2.5]
    (bar,) = (line.get_xdata() for line in axes.lines if line.get_linewidth() == 3)
    assert bar[0] < 2.5 < bar[1]
    sides = [text for text in axes.texts if "2.50" in text.get_text()]
    assert len(sides) == 2
    assert len({text.get_position()[0] for text in sides}) == 1


def test_nothing_beats_the_front():
    cost, gain = np.array([3.0, 1.0, 2.0, 2.0, 2.0, 4.0]), np.array([9.0, 5.0, 7.0, 6.0, 7.0, 9.0])
    assert pareto_front(cost, gain) == [1, 2, 4, 0]
    assert pareto_front(cost, -gain) == [1]


def test_the_drawn_front_follows_the_metrics_direction(contents):
    found = {name: draw_cost(only(contents), RUN, name) for name in ("iou", "drop")}
    fronts = {}
    for name, picture in found.items():
        (front,) = (line for line in picture.figure.axes[0].lines
                    if line.get_label() == "Pareto front")  # fmt: skip
        fronts[name] = front.get_xdata().tolist()
    assert fronts == {"iou": [0.002], "drop": [0.002, 0.01]}
    assert "over 2 rows" in found["drop"].alt


def test_labels_cover_neither_each_other_nor_dots():
    points = np.array([[50.0, 50.0], [52.0, 51.0], [50.0, 53.0], [140.0, 12.0]])
    sizes = np.array([[30.0, 9.0], [12.0, 9.0], [40.0, 18.0], [50.0, 9.0]])
    centers = place_labels(points, sizes, (150, 100))
    low, high = centers - sizes / 2, centers + sizes / 2
    for one, other in itertools.combinations(range(4), 2):
        assert (np.minimum(high[one], high[other]) <= np.maximum(low[one], low[other])).any()
    for point in points:
        assert not ((low < point) & (point < high)).all(axis=1).any()
    assert (low >= 0).all()
    assert (high <= (150, 100)).all()


def test_scores_show_each_rows_own_mean(contents):
    figure = draw_scores(only(contents), RUN, "drop").figure
    shown = {y: x for line in figure.axes[0].lines if line.get_marker() == "|"
             for x, y in zip(*line.get_data(), strict=True)}  # fmt: skip
    board = contents.board.set_index("method")["drop"]
    expected = [*board.drop("center").sort_values(), board["center"]]
    assert [shown[row] for row in range(5)] == pytest.approx(expected)


def test_pooled_estimands_have_no_scores_of_images(tmp_path):
    run = run_of(metrics={"iou": metric(estimand="pooled over images")})
    scores = [row for method in BASE for row in rows_of(method, "iou", [0.1, 0.4, BASE[method]])]
    chapter = only(judge_all(Material.of(run, pd.DataFrame(scores)), tmp_path))
    assert draw_intervals(chapter, run, "iou") is not None
    assert draw_ranks(chapter, run, "iou") is None
    assert draw_scores(chapter, run, "iou") is None


def test_parts_have_the_slices_numbers(contents):
    chapter = only(contents)
    drawn = in_points(draw_slices(chapter, RUN, "iou").figure)
    found = chapter.slices[(chapter.slices["metric"] == "iou") & chapter.slices["value"].notna()]
    found = found[found["kind"] != "control"]
    board = contents.board[contents.board["kind"] != "control"].sort_values("iou")[::-1]
    expected = board[["iou", "iou_low", "iou_high"]].to_numpy().tolist()
    for _, part in found.groupby(["slice", "part"], sort=False):
        rows = part.set_index("method").loc[board["method"]]
        expected += rows[["value", "low", "high"]].to_numpy().tolist()
    assert len(expected) > 8
    assert np.allclose(drawn, expected)


def test_classes_have_the_slices_numbers(contents):
    chapter, several = only(contents), replace(RUN, several_labels=True)
    assert draw_classes(chapter, RUN, "iou") is None
    axes = draw_classes(chapter, several, "iou").figure.axes[0]
    found = chapter.slices[chapter.slices["slice"] == "class"]
    found = found[(found["metric"] == "iou") & (found["kind"] != "control")]
    table = found.pivot_table("value", "part", "method", sort=False)
    board = contents.board[contents.board["kind"] != "control"].sort_values("iou")[::-1]
    expected = table[board["method"]].to_numpy()
    assert np.isfinite(expected).all()
    assert texts_of(axes) == [f"{value:.2f}" for value in expected.ravel()]
    assert [text.get_text() for text in axes.get_yticklabels()] == [*table.index]


def test_metrics_agreement_stands_in_its_own_cell(contents):
    chapter = only(contents)
    axes = draw_agreement(chapter, RUN).figure.axes[0]
    tau = chapter.agreement.set_index(["first", "second"])["tau"]
    assert texts_of(axes) == [f"{tau['iou', 'drop']:.2f}"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["drop ↓"]


def test_confusion_sums_folds_and_reads_clearly_on_every_cell():
    rows = pd.DataFrame({
        "model": [NET, "vgg16", NET],
        "confusion": [json.dumps(counts) for counts in
                      ([[5, 1, 0], [0, 0, 0], [2, 2, 4]], [[1, 0, 0]] * 3, [[4, 0, 0]] * 3)],
    })  # fmt: skip
    picture = draw_confusion(rows, ["a", "b", MARKUP], "busi, holdout")
    first, second, _ = picture.figure.axes
    assert texts_of(first) == list("910400624")
    assert texts_of(second) == list("100100100")
    assert [first.texts[at].get_color() for at in (0, 2)] == ["#111111", "white"]
    assert f"{NET} is right on 13 of 26; vgg16 is right on 1 of 3" in picture.alt


def test_rates_of_seeds_are_one_bar_and_images_count_once():
    rows = pd.DataFrame({
        "model": [NET, NET, "vgg16"],
        "seed": [0, 1, 0],
        "confusion": [json.dumps(counts) for counts in
                      ([[9, 3], [2, 6]], [[11, 1], [0, 8]], [[12, 0], [8, 0]])],
    })  # fmt: skip
    picture = draw_rates(rows, ["benign", MARKUP], "busi, holdout")
    (axes,) = picture.figure.axes
    (first, second) = [bars for bars in axes.containers if isinstance(bars, BarContainer)]
    heights = [[bar.get_height() for bar in bars] for bars in (first, second)]
    assert heights[0] == pytest.approx([34 / 40, 14 / 18, 14 / 16, 20 / 24, 28 / 34])
    assert heights[1][0] == 0.6
    assert np.isnan(heights[1][1])
    lines = first.errorbar.lines[2][0].get_segments()
    assert lines[0][:, 1] == pytest.approx(wilson(17, 20))  # of 20 images, each answered twice
    assert MARKUP in picture.title
    assert draw_rates(rows, ["a", "b", "c"], "busi, holdout") is None


def test_history_draws_what_there_is():
    epochs = range(1, 5)
    full = pd.DataFrame(
        {
            "epoch": epochs,
            "train_loss": [0.9, 0.5, 0.3, 0.2],
            "validation_loss": [1.0, NAN, 0.6, 0.8],
            "validation_accuracy": [0.5, 0.6, 0.8, 0.7],
        },
        index=[3, 2, 1, 0],
    )
    bare = pd.DataFrame({"epoch": epochs, "train_loss": [0.9] * 4, "validation_loss": NAN})
    place = Place("busi", "kfold:2", 0, NET, 0)
    picture = draw_history({place: full, place._replace(fold=1): bare})
    loss, accuracy = picture.figure.axes
    rings = [line.get_xydata().tolist() for line in (*loss.lines, *accuracy.lines)
             if line.get_marker() == "o" and len(line.get_xdata())]  # fmt: skip
    assert rings == [[[3, 0.6]], [[3, 0.8]]]
    assert "Curves of 2 trainings: " in picture.alt
    assert "0.600, at epoch 3" in picture.alt
    assert len(draw_history({place: bare}).figure.axes) == 1
    assert draw_history({place: bare[:0]}) is None


def test_the_upper_bound_is_a_line_of_its_own(tmp_path):
    methods = {name: {"family": family, "blind": False, "sign": "relu"}
               for name, family in (("segmentation", "learned"), ("gradcam", "cam"))}  # fmt: skip
    run = run_of(methods=methods, models={"fcn8": {"all_masks": True}, NET: {}})
    scores = rows_of("segmentation", "iou", [0.9, 0.7], model="fcn8")
    scores += rows_of("gradcam", "iou", [0.2, 0.3])
    found = judge_all(Material.of(run, pd.DataFrame(scores)), tmp_path)
    picture = draw_intervals(only(found), run, "iou")
    (line,) = (line for line in picture.figure.axes[0].lines if line.get_label() == "upper bound")
    assert set(line.get_xdata()) == {0.8}
    assert "upper bound Segmentation · FCN-8 0.800" in picture.alt


def test_of_many_maps_the_density_is_drawn(tmp_path):
    values = np.append(np.random.default_rng(0).normal(0.25, 0.05, 2100), 0.9)
    scores = pd.DataFrame(rows_of("gradcam", "iou", values))
    found = judge_all(Material.of(RUN, scores), tmp_path)
    (shape,) = draw_scores(only(found), RUN, "iou").figure.axes[0].collections
    (outline,) = shape.get_paths()
    widest = outline.vertices[np.argmin(outline.vertices[:, 1])]
    assert widest[0] == pytest.approx(0.25, abs=0.04)
