"""Curves of training and scores of cells for TensorBoard."""

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from xaibench.callbacks.callback import BoardWritten, Callback, CellEnd, EpochEnd, RunEnd, RunStart
from xaibench.core.markdown import markdown_table
from xaibench.core.store import folder_name
from xaibench.results.folder import Place


class TensorBoard(Callback):
    """Writes losses by epoch, mean scores and the leaderboard for TensorBoard.

    Args:
        folder: to write to; empty: ``tensorboard`` in the run's folder.
    """

    def __init__(self, *, folder: str = "") -> None:
        self._folder = Path(folder)
        self._given = bool(folder)
        self._writers: dict[str, SummaryWriter] = {}

    def on_run_start(self, event: RunStart) -> None:
        """Choose the folder."""
        if not self._given:
            self._folder = event.out / "tensorboard"

    def on_epoch_end(self, event: EpochEnd) -> None:
        """Add a point to each curve of a network."""
        writer = self._writer(_name(event.model))
        for name, value in event.values.items():
            writer.add_scalar(f"training/{name}", value, event.epoch)
        writer.flush()

    def on_cell_end(self, event: CellEnd) -> None:
        """Add each mean score and cost of a method."""
        writer = self._writer(f"{_name(event.model)}/{folder_name(event.method)}")
        for group, values in (("scores", event.scores), ("costs", event.costs)):
            for name, value in values.items():
                writer.add_scalar(f"{group}/{name}", value)
        writer.flush()

    def on_board(self, event: BoardWritten) -> None:
        """Add the leaderboard as a text."""
        rows = [[str(value) for value in row] for row in event.table.to_numpy(object)]
        writer = self._writer(".")
        writer.add_text("leaderboard", markdown_table([*map(str, event.table)], rows))
        writer.flush()

    def on_run_end(self, event: RunEnd) -> None:
        """Close all files; what has ended the run early is the last text."""
        if event.error:
            self._writer(".").add_text("error", event.error)
        for writer in self._writers.values():
            writer.close()

    def _writer(self, name: str) -> SummaryWriter:
        if name not in self._writers:
            self._writers[name] = SummaryWriter(str(self._folder / name))
        return self._writers[name]


def _name(model: Place) -> str:
    return f"{model.fold_name}/{folder_name(model.model)}/seed{model.seed}"
