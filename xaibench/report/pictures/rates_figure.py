"""How well each model classifies: its rates with their intervals, side by side."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaibench.report.judging.classification import add_confusions
from xaibench.report.judging.classifier_rates import figures
from xaibench.report.numbers import number
from xaibench.report.pictures.drawing import (
    COLORS,
    INK,
    Drawing,
    Floats,
    bar_ends,
    legend_below,
    new_axes,
    styled,
)
from xaibench.report.pictures.shown_rows import short_names

_MOST = 6  # models, so that bars stay wide enough to be seen
_RATES = ("accuracy", "precision", "recall", "specificity", "f1")
_NAMES = ("accuracy", "precision", "recall", "specificity", "F1")
_BINARY = 2
# Inches.
_WIDTH, _HEIGHT = 4.6, 1.9
_SHARE = 0.8  # of the room of a rate that its bars take


@styled
def draw_rates(rows: pd.DataFrame, classes: Sequence[str], where: str) -> Drawing | None:
    """Draw accuracy, precision, recall, specificity and F1 of each model with 95 % intervals.

    The answers of all folds and seeds make a rate; its interval takes each image for one case,
    however many seeds answered. Of many models the first are shown. None but for two classes, whose
    last one is the positive one.

    Args:
        rows: of `classification_table`, of one dataset and split.
        classes: their names.
        where: dataset and split, in words.
    """
    if len(classes) != _BINARY or rows.empty:
        return None
    seeds = rows.groupby("model")["seed"].nunique()
    found = {model: _rates(counts, seeds[model]) for model, counts in add_confusions(rows).items()}
    shown = list(found)[:_MOST]
    short = short_names(found)
    figure, axes = new_axes(_WIDTH, _HEIGHT)
    width = _SHARE / len(shown)
    for at, model in enumerate(shown):
        heights, low, high = found[model]
        axes.bar(
            np.arange(len(_RATES)) + (at - (len(shown) - 1) / 2) * width,
            heights,
            width * 0.92,
            yerr=bar_ends(heights, low, high),
            label=short[model],
            color=COLORS[at],
            error_kw={"ecolor": INK, "elinewidth": 0.8, "capsize": 2},
        )
    axes.set_xticks(np.arange(len(_RATES)), _NAMES)
    axes.set(ylim=(0, 1), ylabel="rate")
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y")
    legend_below(axes, _HEIGHT, 2, gap=0.3)
    more = "" if len(shown) == len(found) else f", the first {_MOST} of {len(found)} models"
    told = (f"{model} {_in_words(found[model][0])}" for model in shown)
    return Drawing(
        figure,
        f"Classification on {where}{more}: rates of all folds and seeds with Wilson's 95 % "
        f"intervals; the positive class is {classes[-1]}.",
        f"Bars of {', '.join(_NAMES)}{more}: {'; '.join(told)}.",
    )


def _rates(counts: NDArray[np.int64], trainings: int) -> Floats:
    """Return rates, lower and upper ends ``(3, 5)`` from the answers of all folds and seeds."""
    found = figures(counts / trainings, positive=1)
    return np.array([[found[rate + end] for rate in _RATES] for end in ("", "_low", "_high")])


def _in_words(values: Floats) -> str:
    return " ".join(number(float(value)) for value in values)
