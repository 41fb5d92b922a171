"""A callback that prints what a run does."""

import xaibench
from xaibench.callbacks.callback import BoardWritten, CellEnd, EpochEnd


class Watching(xaibench.Callback):
    """Prints losses, scores and the first row of the board."""

    def on_epoch_end(self, event: EpochEnd) -> None:
        """Print an epoch's loss."""
        print(f"{event.model.title}: epoch {event.epoch}, loss {event.values['train_loss']:.3f}")

    def on_cell_end(self, event: CellEnd) -> None:
        """Print a method's scores."""
        scores = (f"{metric} {mean:.3f}" for metric, mean in event.scores.items())
        print(f"{event.method} on {event.model.title}: {', '.join(scores)}")

    def on_board(self, event: BoardWritten) -> None:
        """Print how many rows the board has."""
        print(f"{len(event.table)} rows on the board")


if __name__ == "__main__":
    xaibench.run(dataset="phantom[images=40]", image_size=48, epochs=2, models=["small_resnet"],
                 methods=["gradcam"], metrics=["iou"], weights="none", controls=False,
                 callbacks=[Watching()], out="results/watched")  # fmt: skip
