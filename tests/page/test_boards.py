import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.append(str(Path(__file__).parents[1] / "report"))
from frames import NAN, NET, RUN, SAID, board_of, metric, rows_of, rows_on_board, run_of

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.material import Material
from xaibench.report.facts.section import sections
from xaibench.report.judging.estimates import from_frame
from xaibench.report.judging.judge import judge
from xaibench.report.page.about import facts, failures, undefined
from xaibench.report.page.diagnosed import verdicts
from xaibench.report.page.embedded import Embedded
from xaibench.report.page.notebook import board_html
from xaibench.report.page.prose import prose, soft
from xaibench.report.page.sheets import sheets
from xaibench.report.page.svg import inline_svg
from xaibench.report.wording.board_table import TIED
from xaibench.report.wording.boards import boards
from xaibench.report.wording.headline import headline
from xaibench.results.integrity import write_record

HOSTILE = "<script>alert(1)</script>"


def spread(mean, width=0.08):
    return mean + np.linspace(-width, width, 40)[np.random.default_rng(3).permutation(40)]


def run_with(method):
    return run_of(methods=SAID["methods"] | {method: {"family": "cam", "blind": False}})


@pytest.fixture(scope="module")
def board():
    return board_of(
        rows_of("gradcam", "iou", spread(0.5))
        + rows_of("hirescam", "iou", spread(0.3) + np.tile([0.02, -0.02], 20))
        + rows_of("rise[a=x|y]", "iou", [NAN] * 40)
        + rows_of("center", "iou", spread(0.2))
        + rows_of("center", "iou", spread(0.2), model="vgg16")
        + rows_of("oracle", "iou", np.ones(40))
    )


def test_cells_carry_the_numbers_that_they_print(board):
    first, controls = boards(from_frame(board, RUN), RUN)
    (best, *_), lowest = first.rows[0][2:], first.rows[-1][2]
    row = board.set_index("method").loc["gradcam"]
    assert (best.value, best.low, best.high) == (row["iou"], row["iou_low"], row["iou_high"])
    assert best.letters == ("a", TIED)
    assert (lowest.value, lowest.low, lowest.high, lowest.letters) == (None, None, None, ())
    assert lowest.undefined == 40
    assert [line.method for line in first.lines] == ["gradcam", "hirescam", "rise[a=x|y]"]
    assert first.metrics == ["iou"]
    rank = first.rows[1][3]
    assert (rank.text, rank.value, first.rows[1][2].letters) == ("2", 2, ("b",))
    assert [(line.method, line.model) for line in controls.lines] == [
        ("oracle", NET), ("center", "")]  # fmt: skip
    assert controls.rows[1][1].text == "all 2"
    assert controls.rows[1][2].value == pytest.approx(0.2)


def test_controls_that_differ_in_the_last_bit_alone_are_named_once():
    values = spread(0.2)
    scores = rows_of("center", "iou", values) + rows_of(
        "center", "iou", np.nextafter(values, 1), model="vgg16"
    )
    (controls,) = boards(rows_on_board(scores), RUN)
    assert [line.model for line in controls.lines] == [""]
    scores[0]["value"] += 1
    (controls,) = boards(rows_on_board(scores), RUN)
    assert [line.model for line in controls.lines] == [NET, "vgg16"]


def test_a_columns_scale_spans_what_competes_and_the_blind_control(board):
    (sheet,) = sheets(from_frame(board, RUN), RUN)
    by_name = {row.line.method: row.cells[2][1] for body in sheet.bodies for row in body.rows}
    known = board.set_index("method")
    low, high = 0.2, known.loc["gradcam", "iou_high"]  # center, which is blind, is the lowest
    for method in ("gradcam", "hirescam"):
        ends = known.loc[method, ["iou", "iou_low", "iou_high"]].astype(float)
        drawn = by_name[method][:3]
        assert drawn == pytest.approx(100 * (ends.to_numpy() - low) / (high - low), abs=0.06)
        assert by_name[method].blind == 0
        assert not by_name[method].beyond
    assert by_name["rise[a=x|y]"] is None
    assert by_name["oracle"].beyond
    assert by_name["oracle"].at == 100
    column = sheet.columns[2]
    assert (column.title, column.order, column.ends) == ("iou ↑", "descending",
                                                        ("0.200", f"{high:.3f}"))  # fmt: skip
    assert [body.lead for body in sheet.bodies] == ["", "Controls, not ranked"]
    assert len({len(row.cells) for body in sheet.bodies for row in body.rows}) == 1
    assert sheet.models == [NET]


def test_each_row_is_measured_against_its_own_models_best_blind_control():
    scores = [
        *rows_of("gradcam", "drop", spread(0.5)),
        *rows_of("gradcam", "drop", spread(0.5), model="vgg16"),
        *rows_of("center", "drop", spread(0.1)),
        *rows_of("all_ones", "drop", spread(0.3)),
        *rows_of("center", "drop", spread(0.9), model="vgg16"),
    ]
    (sheet,) = sheets(rows_on_board(scores), RUN)
    blind = {row.line.model: row.cells[2][1].blind for row in sheet.bodies[0].rows}
    assert blind == {NET: 0, "vgg16": 100}  # lower is better: 0.1 of 0.1 and 0.3, and 0.9
    assert sheet.columns[2].order == "ascending"


def test_a_page_sets_all_metrics_of_a_family_side_by_side():
    names = [f"m{number}" for number in range(6)]
    run = run_of(metrics={name: metric() for name in names} | {"best": metric(ranked=False)})
    rows = rows_on_board(
        [line for name in [*names, "best"] for line in rows_of("gradcam", name, [0.1, 0.3])], run
    )
    ranked, bounds = sheets(rows, run)
    assert [column.metric for column in ranked.columns][2:8] == names
    assert bounds.title == "Localization: upper bounds, never ranked"
    assert [len(part.metrics) for part in boards(rows, run)] == [3, 3, 1]


def test_markdown_of_names_stays_text_and_headings_find_their_level():
    text = prose(
        ["## A `x`", "### B", f"{HOSTILE} a_b[c=d] 0.5 [0.25, 0.75]", "![x](<a.png>)"], 3,
        {"A x": "here"},
    )  # fmt: skip
    assert '<h3 id="here">A <code>x</code></h3>' in text
    assert "<h4>B</h4>" in text
    assert "<script" not in text
    assert "a_<wbr>b[<wbr>c=<wbr>d] 0.5\u00a0[0.25,\u00a00.75]" in text
    assert "img" not in text
    pairs = str(prose(["95 % of [[7, 8], [1, 14]], 3 [a, b]"]))
    assert "95\u00a0% of [[7,\u00a08], [1,\u00a014]], 3 [a, b]" in pairs
    assert soft("<b>_x") == "&lt;b&gt;_<wbr>x"


def test_a_figures_names_are_its_own_and_nothing_in_it_runs(tmp_path):
    path = tmp_path / "x.svg"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "a" "b"><svg width="90pt" height="50pt" '
        'viewBox="0 0 90 50" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink"><metadata>when</metadata>'
        '<style>*{fill:red}</style><script>alert(1)</script><g id="a" onclick="alert(1)">'
        '<a xlink:href="javascript:alert(1)"><set attributeName="href" to="javascript:alert(1)"/>'
        '</a><foreignObject><p/></foreignObject><script xmlns="">alert(1)</script>'
        '<path style="stroke: #000000; clip-path: url(#c)"/><text>&lt;b&gt;</text></g>'
        '<use xlink:href="#a"/><image xlink:href="http://x/y.png"/></svg>'
    )
    text = inline_svg(path, "one-")
    assert text.startswith("<svg ")
    for left_out in ("metadata", "<style", "script", "onclick", "<a", "foreign", "http://x",
                     "#000000", "<?", "!D"):  # fmt: skip
        assert left_out not in text
    assert 'id="one-a"' in text
    assert 'href="#one-a"' in text
    assert "stroke: currentColor; clip-path: url(#one-c)" in text
    assert "<text>&lt;b&gt;</text>" in text
    assert "width: 90pt" in text
    assert Embedded("", "", text, []).narrow
    wide = text.replace("width: 90pt", "width: 569.4pt")
    assert not Embedded("", "", wide, []).narrow
    path.write_text("no picture")
    assert inline_svg(path, "") is None


def test_a_notebook_gets_tables_with_a_style_of_their_own(board):
    text = board_html(board.replace({"method": {"hirescam": HOSTILE}}), run_with(HOSTILE))
    assert "<b>0.500</b>" in text
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert text.count("<table") == 1
    assert "href" not in text
    assert board_html(board[:0], RUN) == ""


def test_what_failed_is_read_from_its_cell(tmp_path):
    folder = tmp_path / "cells" / "busi" / "holdout" / "net" / "seed0"
    for name, error in (("gradcam", "no memory"), ("spn", None), ("old", "not of this run")):
        write_record(folder / name / "cell.json", {"method": name, "error": error})
    assert failures(RUN, tmp_path) == [("gradcam in busi, holdout, net, seed0", "no memory")]


def test_undefined_values_are_counted_by_metric_and_reason():
    scores = pd.DataFrame(
        rows_of("gradcam", "iou", [NAN, 0.1]) + rows_of("spn", "iou", [NAN], status="empty mask")
        + rows_of("gradcam", "drop", [0.1])
    )  # fmt: skip
    table = list(undefined(scores))[-1].splitlines()
    assert table[0] == "| metric | values | undefined | empty mask | ok |"
    assert table[2:] == ["| iou | 3 | 2 | 1 | 1 |", "| drop | 1 | 0 | 0 | 0 |"]
    assert list(undefined(scores[1:2])) == ["Every one of the 1 values is defined."]


def test_what_was_run_leaves_out_what_nobody_knows():
    told = {fact.name: fact.texts for fact in facts(RUN)}
    assert told["images at"] == ["160 by 160 pixels"]
    assert told["controls"] == ["center", "all_ones", "oracle"]
    assert told["training masks seen"] == ["25 %"]
    assert "weights" not in told


def test_diagnoses_are_told_in_words(tmp_path):
    assert list(verdicts(tmp_path)) == []
    path = tmp_path / "diagnostics.csv"
    path.write_text(
        "diagnostic,model,method,stage,n,verdict,why\nshortcut,net,gradcam,all,3,pass,\n"
        "shortcut,net,sobel,all,3,fail,x\nshortcut,net,spn,all,3,pass,\nshortcut,net,spn,one,3,,\n"
    )
    ((text, closed),) = verdicts(tmp_path)
    assert "<td>pass</td>\n<td>gradcam, spn</td>" in text
    assert "<td>fail</td>\n<td>sobel</td>" in text
    assert text.count("<tr>") == 3
    assert not closed
    path.write_text("model\nx\n")
    with pytest.raises(XaibenchError, match="run `xaibench diagnose` again"):
        list(verdicts(tmp_path))


def said(*rows):
    (section,) = sections(Material.of(RUN, pd.DataFrame([line for row in rows for line in row])))
    return list(headline(section, RUN, judge(section, RUN)))


def test_the_headline_says_who_leads_and_how_far():
    best, twin = rows_of("spn", "iou", spread(0.6)), rows_of("gradcam", "iou", spread(0.6)[::-1])
    worst = rows_of("hirescam", "iou", spread(0.2))
    blind = rows_of("center", "iou", spread(0.9))
    value = rf"`\w+` on `{NET}` \w+ (the best mean, |with )0.600 \[0.\d\d, 0.\d\d\], "
    (only,) = said(best)
    assert only == f"By iou ↑, the only row, `spn` on `{NET}`, has 0.600 [0.58, 0.62]."
    better = f"{only} The best blind control is `center`, 0.300."
    assert said(best, rows_of("center", "iou", spread(0.3))) == [better]
    unseen = "`center`, {}, which never looks at the image."
    assert said(best, blind) == [f"{only} It is worse than {unseen.format('0.900')}"]
    alike = rows_of("center", "iou", spread(0.6)[::-1])
    told = f"{only} It is not significantly better than {unseen.format('0.600')}"
    assert said(best, alike) == [told]
    (apart,) = said(best, worst)
    assert re.fullmatch(rf"By iou ↑, {value}apart from the other row.", apart)
    (tied,) = said(best, twin, worst)
    assert re.fullmatch(rf"By iou ↑, {value}and 1 of 2 others tie with it.", tied)
    (level,) = said(best, twin)
    none = "no row is significantly different from it"
    assert re.fullmatch(rf"By iou ↑, {value[:-2]}; {none}.", level)
    assert said(blind) == []
    drop = rows_of("gradcam", "drop", spread(0.3))
    assert [text.split(",")[0] for text in said(best, drop)] == ["By iou ↑", "By drop ↓"]


def test_the_headline_names_no_leader_of_rows_that_are_alike():
    same = [rows_of(name, "drop", [0.0] * 40) for name in ("gradcam", "hirescam", "center")]
    (text,) = said(*same)
    assert text.startswith("By drop ↓, all 2 rows have the same scores, 0.000 [0.00, ")
    assert text.endswith(
        "]. It is not significantly better than `center`, 0.000, which never looks at the image."
    )


def test_the_headline_does_not_hide_a_better_mean_of_a_row_that_lacks_images():
    lacking = rows_of("spn", "iou", [*spread(0.8)[:30], *[float("nan")] * 10])
    (text,) = said(rows_of("gradcam", "iou", spread(0.5)), lacking)
    assert text.startswith(f"By iou ↑, `gradcam` on `{NET}` leads with 0.500 [0.48, 0.52] (of the ")
    assert "rows that have all images; 1 with fewer: a better mean), apart from" in text


def test_the_headline_says_where_most_of_the_leaders_maps_are_none():
    empty = rows_of("gradcam", "drop", spread(0.1, 0.01))
    for row in empty[:21]:
        row["status"] = "constant map"
    (text,) = said(empty, rows_of("hirescam", "drop", spread(0.5)))
    assert text.endswith(" 21 of its 40 maps are constant or not finite.")
    empty[0]["status"] = "ok"
    (text,) = said(empty, rows_of("hirescam", "drop", spread(0.5)))
    assert "constant" not in text
