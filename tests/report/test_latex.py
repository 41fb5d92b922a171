import re

import numpy as np
from frames import NAN, RUN, SAID, rows_of, rows_on_board, run_of

from xaibench.report.wording.latex import escape, to_latex

NASTY = r"a\b{c}_d%e&f#g$h^i~j[k]<l>|m"


def test_every_special_sign_is_escaped():
    text = escape(NASTY)
    bare = re.sub(r"\\[a-z]+\{\}|\\[{}_%&#$]|\{[][]\}", "", text)
    assert not set(bare) & set(r"\{}_%&#$^~[]<>|")
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_tables_are_whole_and_balanced():
    values = np.linspace(0.1, 0.5, 30)
    methods = SAID["methods"] | {NASTY: {"family": "cam", "blind": False}}
    run = run_of(methods=methods, command="xaibench run\n--out {a_b}%", dataset=NASTY)
    board = rows_on_board(
        rows_of(NASTY, "iou", values, dataset=NASTY)
        + rows_of("gradcam", "iou", [*(values - 0.05)[:-1], NAN], dataset=NASTY)
        + rows_of("center", "iou", values, dataset=NASTY)
        + rows_of("gradcam", "drop", values, dataset=NASTY),
        run,
    )
    text = to_latex(board, run)
    assert "undefined)" not in text
    assert text.count("$^{1}$ without 1 undefined value.") == 1
    assert re.search(r"Grad-CAM & ResNet-18 & 0\.\d+\$\^\{1\}\$ ", text)
    unescaped = re.sub(r"\\[{}%]|%.*", "", text)
    depth = 0
    for sign in unescaped:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    for name in ("table*", "tabular"):
        count = text.count(f"\\begin{{{name}}}")
        assert count == text.count(f"\\end{{{name}}}") == 3
    for table in re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", text, re.DOTALL):
        columns = len(re.match(r"\\begin\{tabular\}\{(\w+)\}", table)[1])
        lines = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert len(lines) >= 2
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {columns - 1}
        assert [table.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1] * 3
        # A bracket after a line's end would be taken for its option.
        assert not re.search(r"\\\\\s*\[", table)


def test_the_best_is_bold_and_arrows_and_letters_are_there():
    values = np.linspace(0.1, 0.5, 30)
    board = rows_on_board(rows_of("gradcam", "iou", values) + rows_of("spn", "iou", values / 2))
    text = to_latex(board, RUN)
    assert r"iou $\uparrow$" in text
    (caption,) = re.findall(r"\\caption\{(.*)", text)
    (headed,) = re.findall(r"\\caption\{(.*)", to_latex(board, RUN, "50 % & more"))
    where, rest = caption.split(": ", 1)
    assert headed == rf"50 \% \& more ({where}): {rest}"
    assert re.search(r"Grad-CAM & ResNet-18.* & \\textbf\{0\.300\} .*\\textit\{a\}", text)
    assert re.search(
        r"SPN \(learned, masks for 25 \\%\) & ResNet-18 & 0\.150 .*\\textit\{b\}", text
    )
