"""Where a run keeps what, below its output folder."""

from dataclasses import dataclass
from pathlib import Path

from xaibench.core.store import folder_name


@dataclass(frozen=True)
class Layout:
    """Paths of one run. ``key`` is (dataset, split, fold, model, seed)."""

    out: Path

    def split_file(self, split: str, fold: int) -> Path:
        """Which sample stands in which part, and whose masks may be seen."""
        return self.out / "splits" / f"{_split_name(split, fold)}.csv"

    def model_folder(self, dataset: str, split: str, fold: int, model: str, seed: int) -> Path:
        """Holds ``model.pt``, ``history.csv``, ``predictions.csv`` and ``model.json``."""
        return self._place("models", dataset, split, fold, model, seed)

    def cell_folder(
        self, dataset: str, split: str, fold: int, model: str, seed: int, method: str
    ) -> Path:
        """Holds ``maps.npz``, ``scores.csv`` and, written last, ``cell.json``."""
        return self._place("cells", dataset, split, fold, model, seed) / folder_name(method)

    def _place(
        self, kind: str, dataset: str, split: str, fold: int, model: str, seed: int
    ) -> Path:
        names = folder_name(dataset), _split_name(split, fold), folder_name(model), f"seed{seed}"
        return self.out.joinpath(kind, *names)


def _split_name(split: str, fold: int) -> str:
    return split if split == "holdout" else f"{folder_name(split)}-fold{fold}"
