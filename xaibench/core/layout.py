"""Where a run keeps what, below its output folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from xaibench.core.store import folder_name


class Place(NamedTuple):
    """What one trained model belongs to; the first columns of every table."""

    dataset: str
    split: str
    fold: int
    model: str
    seed: int

    @property
    def fold_name(self) -> str:
        """``holdout``, ``official``, or ``kfold-5-fold0``."""
        folds = ":" in self.split
        return f"{folder_name(self.split)}-fold{self.fold}" if folds else self.split

    @property
    def title(self) -> str:
        """The trained model, for people who know the dataset."""
        return f"{self.model}, {self.fold_name}, seed {self.seed}"


@dataclass(frozen=True)
class Layout:
    """Paths of one run."""

    out: Path

    def split_file(self, place: Place) -> Path:
        """Which sample stands in which part, and whose masks may be seen."""
        return self.out / "splits" / f"{place.fold_name}.csv"

    def model_folder(self, place: Place) -> Path:
        """Holds ``model.pt``, ``history.csv``, ``predictions.csv`` and ``model.json``."""
        return self._folder("models", place)

    def cell_folder(self, place: Place, method: str) -> Path:
        """Holds ``maps.npz``, ``scores.csv`` and, written last, ``cell.json``."""
        return self._folder("cells", place) / folder_name(method)

    def analysis_folder(self, place: Place, analysis: str) -> Path:
        """Holds tables, figures and, written last, ``analysis.json``."""
        return self._folder("analyses", place) / folder_name(analysis)

    def observation_folder(self, place: Place) -> Path:
        """Holds embeddings and reconstruction errors, which all analyses of a model share."""
        return self._folder("observations", place)

    def _folder(self, kind: str, place: Place) -> Path:
        dataset, model = folder_name(place.dataset), folder_name(place.model)
        return self.out / kind / dataset / place.fold_name / model / f"seed{place.seed}"
