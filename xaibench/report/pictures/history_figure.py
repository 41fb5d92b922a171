"""Training curves."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from xaibench.report.numbers import number
from xaibench.report.pictures.drawing import COLORS, DIM, Drawing, new_figure, styled
from xaibench.report.pictures.shown_rows import counted, fold, short_names
from xaibench.results.folder import Place

_STYLES = {"validation": "-", "train": ":"}
_QUANTITIES = ("loss", "accuracy")
_WIDTH, _HEIGHT, _GAP = 3.0, 2.3, 0.6  # inches
_MANY, _THIN, _THICK = 6, 0.6, 1.3  # curves of a color


@styled
def draw_history(histories: Mapping[Place, pd.DataFrame]) -> Drawing | None:
    """Draw loss and accuracy by epoch, training dotted and validation drawn through.

    Trainings of one model, of other folds and seeds, have one color. A ring marks the epoch of the
    lowest validation loss, whose network is explained.

    None where nothing was trained.

    Args:
        histories: ``epoch`` and any of ``train_loss``, ``validation_loss``, ``train_accuracy``,
            ``validation_accuracy`` of each trained model.
    """
    by_model: dict[str, list[pd.DataFrame]] = {}
    for place, history in histories.items():
        if len(history):
            by_model.setdefault(place.model, []).append(history)
    known = [history for trained in by_model.values() for history in trained]
    drawn = [name for name in _QUANTITIES if any(_parts(history, name) for history in known)]
    if not drawn:
        return None
    figure = new_figure((1, 1))
    for at, quantity in enumerate(drawn):
        # The sheet is an inch wide and high, and grows when it is saved.
        axes = figure.add_axes((at * (_WIDTH + _GAP), 1 - _HEIGHT, _WIDTH, _HEIGHT))
        for color, trained in enumerate(by_model.values()):
            for history in trained:
                width = _THIN if len(trained) > _MANY else _THICK
                _draw_curves(axes, history, quantity, COLORS[color % len(COLORS)], width)
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid()
    _write_legend(figure.axes[-1], list(short_names(by_model).values()))
    return Drawing(
        figure,
        f"{' and '.join(drawn).capitalize()} by epoch of training: training dotted, validation "
        "drawn through; a ring marks the lowest validation loss, whose network is explained.",
        f"Curves of {counted(len(known), 'training')}: "
        f"{'; '.join(_in_words(*pair) for pair in by_model.items())}.",
    )


def _parts(history: pd.DataFrame, quantity: str) -> list[str]:
    return [part for part in _STYLES if f"{part}_{quantity}" in history]


def _draw_curves(
    axes: Axes, history: pd.DataFrame, quantity: str, color: str, width: float
) -> None:
    best = _best_epoch(history)
    for part in _parts(history, quantity):
        values = history[f"{part}_{quantity}"].to_numpy(float)
        axes.plot(history["epoch"], values, _STYLES[part], color=color, linewidth=width)
        if part == "validation" and best is not None:
            place = history["epoch"].iloc[best], values[best]
            axes.plot(*place, "o", color=color, markersize=4 * width, markerfacecolor="none")


def _write_legend(axes: Axes, models: Sequence[str]) -> None:
    for color, model in enumerate(models):
        axes.plot([], [], color=COLORS[color % len(COLORS)], label=fold(model))
    for part, style in _STYLES.items():
        axes.plot([], [], style, color=DIM, label=part)
    axes.plot([], [], "o", color=DIM, markerfacecolor="none", label="lowest validation loss")
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)


def _best_epoch(history: pd.DataFrame) -> int | None:
    """Return the row of the lowest validation loss, or None where none is known."""
    if "validation_loss" not in history or history["validation_loss"].isna().all():
        return None
    return int(np.nanargmin(history["validation_loss"].to_numpy(float)))


def _in_words(model: str, trained: Sequence[pd.DataFrame]) -> str:
    lowest = [
        (float(history["validation_loss"].iloc[best]), int(history["epoch"].iloc[best]))
        for history in trained
        if (best := _best_epoch(history)) is not None
    ]
    if not lowest:
        return f"{model} without a validation loss"
    loss, epoch = min(lowest)
    return f"{model} has its lowest validation loss, {number(loss)}, at epoch {epoch}"
