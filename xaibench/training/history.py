"""What the epochs of a training came to."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from xaibench.core.store import write_with


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write one row for each epoch."""
    write_with(path, lambda file: pd.DataFrame(history).to_csv(file, index=False))


def summarize(row: Mapping[str, float]) -> str:
    """Return what an epoch came to, in a line."""
    accuracy = row.get("validation_accuracy")
    losses = f"loss {row['train_loss']:.3f}, validation loss {row['validation_loss']:.3f}"
    return losses if accuracy is None else f"{losses}, accuracy {accuracy:.3f}"
