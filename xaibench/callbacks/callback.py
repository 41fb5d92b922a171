"""What a callback is, and what it is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaibench.results.folder import Place

if TYPE_CHECKING:  # help must not wait for it
    import pandas as pd


@dataclass(frozen=True)
class RunStart:
    """A run begins: its folder, its options by name, and the command that repeats it."""

    out: Path
    options: Mapping[str, Any]
    command: str


@dataclass(frozen=True)
class EpochEnd:
    """A network has been trained for one epoch more.

    Args:
        model: the network; ``.dataset``, ``.split``, ``.fold``, ``.model`` and ``.seed``.
        epoch: its number, from 1 on.
        values: as ``history.csv`` has them: ``train_loss``, ``validation_loss``, ``seconds``, of
            networks that classify ``validation_accuracy``, and each part of the loss.
    """

    model: Place
    epoch: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class CellEnd:
    """A method's maps of one network are explained and scored.

    Args:
        model: the network.
        method: the method, with its options.
        scores: each metric's mean over the test images where it is defined; NaN if nowhere.
        costs: as ``costs.csv`` has them, such as ``seconds_per_image``; NaN where unknown.
        failures: why the method or some of its metrics failed, by what failed.
    """

    model: Place
    method: str
    scores: Mapping[str, float]
    costs: Mapping[str, float]
    failures: Mapping[str, str]


@dataclass(frozen=True)
class BoardWritten:
    """The run's report is written: its folder, and the rows of ``leaderboard.csv``."""

    out: Path
    table: "pd.DataFrame"


@dataclass(frozen=True)
class RunEnd:
    """A run ends; ``error`` says what has ended it early, and is empty else."""

    error: str = ""


class Callback:
    """Is told what a run does; a subclass defines the methods that it needs.

    All are called in the process that was started, one at a time, though not always in the same
    thread. What one of them raises costs the run nothing: the callback is told no more.
    """

    def on_run_start(self, event: RunStart) -> None:
        """Hear that a run begins."""

    def on_epoch_end(self, event: EpochEnd) -> None:
        """Hear of an epoch of training; a few seconds later, where it is trained elsewhere."""

    def on_cell_end(self, event: CellEnd) -> None:
        """Hear of a cell that this run has made or completed."""

    def on_board(self, event: BoardWritten) -> None:
        """Hear of the leaderboard."""

    def on_run_end(self, event: RunEnd) -> None:
        """Close what is open; called however the run ends."""
