"""The models' accuracy for people: the figures that matter, with Wilson's intervals."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from xaibench.core.markdown import markdown_table
from xaibench.report.numbers import number, span

_KEYS = ("dataset", "split", "fold", "model", "seed", "n")
_FIGURES = (
    *("accuracy", "loss", "precision", "recall", "specificity", "f1"),
    *("macro_f1", "weighted_f1", "auroc", "calibration_error"),
)
_PER_CLASS = (
    *("class", "n", "positives", "auroc", "auprc", "threshold"),
    *("f1", "precision", "recall", "specificity"),
)
_COMPARED = ("first", "second", "n", "test", "p_holm", "verdict")


def classification_to_markdown(table: pd.DataFrame, tests: pd.DataFrame) -> Iterator[str]:
    """Yield Markdown paragraphs.

    Args:
        table: from `classification_table`.
        tests: from `compare_models`.
    """
    if table.empty:
        return
    keys = [key for key in _KEYS if key in ("model", "n") or table[key].nunique() > 1]
    warned = ["warning"] if (table["warning"].astype(str) != "").any() else []
    names = [*keys, *_FIGURES, *warned]
    yield "## Classification"
    yield (
        "Loss is the mean cross-entropy in nats. Precision, recall, specificity and F1 are those "
        "of the positive class, "
        f"{', '.join(sorted({str(name) for name in table['positive'] if name})) or 'if any'}; "
        "brackets hold Wilson's 95 % interval, which takes images for independent. Confusion "
        "matrices are drawn; their counts and more figures are in classification.csv."
    )
    yield markdown_table(names, [_line(row, names) for row in table.to_dict("records")])
    if len(tests):
        yield "Are the models' accuracies significantly different?"
        places = [name for name in ("dataset", "split") if tests[name].nunique() > 1]
        shown = [*places, *_COMPARED]
        lines = [[_plain(value) for value in row] for row in tests[shown].to_numpy(object)]
        yield markdown_table(shown, lines)
        yield "The counts and the tests behind this are in classification_tests.csv."


def per_class_to_markdown(table: pd.DataFrame) -> Iterator[str]:
    """Yield Markdown paragraphs of `per_class_table`; none where images have one label."""
    if table.empty:
        return
    keys = [key for key in _KEYS[:-1] if key == "model" or table[key].nunique() > 1]
    names = [*keys, *_PER_CLASS]
    yield "## Classification"
    yield (
        "An image may show several classes, and each is judged by itself. A class counts as found "
        "from its threshold upwards, which was chosen on validation images. Brackets hold 95 % "
        "intervals that take images for independent: Wilson's, of average precision as of a share "
        "of the positives, and of the area under the ROC curve a score interval. Images of which "
        "nobody knows whether they show a class don't count for it. `macro` is the plain mean over "
        "the classes where a figure is defined. The same figures are in per_class.csv."
    )
    yield markdown_table(names, [_line(row, names) for row in table.to_dict("records")])


def _line(row: Mapping[Any, Any], names: list[str]) -> list[str]:
    cells = []
    for name in names:
        ends = (f"{name}_low", f"{name}_high")
        text = _plain(row[name])
        cells.append(f"{text} {span(*(row[end] for end in ends))}" if ends[0] in row else text)
    return [cell.strip() for cell in cells]


def _plain(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
