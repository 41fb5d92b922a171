"""Confusion matrices of all models, as heat maps."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from numpy.typing import NDArray

from xaibench.report.judging.classification import add_confusions
from xaibench.report.pictures.drawing import FONT, Drawing, new_figure, set_off_numbers, styled
from xaibench.report.pictures.shown_rows import fold, short_names

_MOST, _ACROSS = 12, 3  # models
_FEW = 20  # classes up to which each cell has room for its count
# Inches.
_SMALLEST, _LARGEST, _CELL = 1.5, 5.0, 0.36
_GAP, _HEAD, _BAR = 0.3, 0.55, 0.08
_LONGEST, _LETTER = 22, 0.058


@styled
def draw_confusion(rows: pd.DataFrame, classes: Sequence[str], where: str) -> Drawing | None:
    """Draw what each model says of the images of each class, summed over folds and seeds.

    Colors are shares of a true class, numbers are counts; of many models the first are shown.
    None without models.

    Args:
        rows: of `classification_table`, of one dataset and split.
        classes: their names.
        where: dataset and split, in words.
    """
    counts = add_confusions(rows)
    if not counts:
        return None
    shown = dict(list(counts.items())[:_MOST])
    short = short_names(counts)
    names = [fold(str(name), _LONGEST) for name in classes]
    side = float(np.clip(_CELL * len(classes), _SMALLEST, _LARGEST))
    foot = _HEAD + min(_LONGEST, max(map(len, classes))) * _LETTER * 0.7
    figure = new_figure((1, 1))
    for at, (model, matrix) in enumerate(shown.items()):
        down, right = divmod(at, _ACROSS)
        # The sheet is an inch wide and high, and grows when it is saved.
        place = (right * (side + _GAP), 1 - side - down * (side + foot), side, side)
        axes = figure.add_axes(place)
        _draw_matrix(axes, matrix)
        ticks = np.arange(len(names)) + 0.5
        axes.set_xticks(ticks, names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, [] if right else names, rotation=0)
        axes.tick_params(length=0)
        axes.set_title(fold(short[model], int(side / _LETTER)), size=FONT - 0.5)
        axes.set(xlabel="predicted", ylabel="" if right else "true class")
    beside = min(len(shown), _ACROSS) * (side + _GAP) - _GAP / 2
    bar = figure.add_axes((beside, 1 - side, _BAR, side))
    figure.colorbar(axes.collections[0], cax=bar, label="share of the true class")
    more = "" if len(shown) == len(counts) else f", the first {_MOST} of {len(counts)} models"
    return Drawing(
        figure,
        f"Confusion matrices on {where}{more}: numbers of images, of all folds and seeds, colored "
        "by share of the true class.",
        f"Confusion matrices of {len(classes)} classes{more}: "
        f"{'; '.join(_in_words(*pair) for pair in shown.items())}.",
    )


def _draw_matrix(axes: Axes, counts: NDArray[np.int64]) -> None:
    of_class = counts.sum(axis=1, keepdims=True)
    shares = np.where(of_class > 0, counts / np.maximum(of_class, 1), np.nan)
    few = len(counts) <= _FEW
    seaborn.heatmap(
        shares,
        vmin=0,
        vmax=1,
        cmap="cividis",
        annot=counts if few else None,
        fmt="d",
        annot_kws={"size": FONT - 1},
        xticklabels=False,
        yticklabels=False,
        rasterized=not few,
        cbar=False,
        ax=axes,
    )
    set_off_numbers(axes)


def _in_words(model: str, counts: NDArray[np.int64]) -> str:
    return f"{model} is right on {np.trace(counts)} of {counts.sum()}"
