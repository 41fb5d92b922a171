"""Training curves."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from xaibench.report.pictures.drawing import Colour, new_figure

_FONT, _DPI = 7.5, 200
_STYLES = {"validation": "-", "train": ":"}


def draw_history(histories: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Save a PNG of loss and accuracy by epoch, training dotted and validation drawn through.

    A ring marks the epoch of the lowest validation loss.

    Args:
        histories: name of a curve -> ``epoch`` and any of ``train_loss``, ``validation_loss``,
            ``train_accuracy``, ``validation_accuracy``.
        path: where the picture goes.
    """
    figure = new_figure((8.5, 3.2), _DPI, layout="constrained")
    panels = figure.subplots(1, 2)
    colours = matplotlib.colormaps["tab10" if len(histories) <= 10 else "tab20"]  # noqa: PLR2004
    for index, (name, history) in enumerate(histories.items()):
        colour = colours(index % colours.N)
        for axes, quantity in zip(panels, ("loss", "accuracy"), strict=True):
            _draw_curves(axes, history, quantity, name=name, colour=colour)
    for axes, quantity in zip(panels, ("loss", "accuracy"), strict=True):
        axes.set_xlabel("epoch", size=_FONT + 1)
        axes.set_ylabel(quantity, size=_FONT + 1)
        axes.tick_params(labelsize=_FONT)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    for part, style in _STYLES.items():
        panels[0].plot([], [], style, color="grey", label=part)
    panels[0].plot([], [], "o", color="grey", mfc="white", label="lowest validation loss")
    figure.legend(loc="outside right upper", frameon=False, fontsize=_FONT)
    figure.savefig(path, format="png")


def _draw_curves(
    axes: Axes, history: pd.DataFrame, quantity: str, *, name: str, colour: Colour
) -> None:
    best = _best_epoch(history)
    for part, style in _STYLES.items():
        column = f"{part}_{quantity}"
        if column not in history:
            continue
        values = history[column].to_numpy(float)
        axes.plot(history["epoch"], values, style, color=colour, linewidth=1.3)
        if part == "validation" and best is not None:
            place = history["epoch"].iloc[best], values[best]
            axes.plot(*place, "o", color=colour, markersize=5, markerfacecolor="white")
    if quantity == "loss":
        axes.plot([], [], color=colour, label=name)


def _best_epoch(history: pd.DataFrame) -> int | None:
    """Return the row of the lowest validation loss, or None where none is known."""
    if "validation_loss" not in history or history["validation_loss"].isna().all():
        return None
    return int(np.nanargmin(history["validation_loss"].to_numpy(float)))
