"""Where a run keeps what, below its output folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from xaibench.core.aliases import first_spec
from xaibench.core.store import folder_name

RUN_FILE, STUDY_FILE, LOG_FILE = "run.json", "study.json", "run.log"
SEAL_FILE = "tables.json"
SCORES_FILE, PREDICTIONS_FILE, COSTS_FILE = "scores.csv", "predictions.csv", "costs.csv"
REPRODUCIBILITY_FILE = "reproducibility.csv"
ROWS_FILES = (SCORES_FILE, PREDICTIONS_FILE, COSTS_FILE, REPRODUCIBILITY_FILE)
"""Tables of rows, gathered from cells and models, that all reports are made from."""
MODEL_FILE, CELL_FILE, PART_FILE, ANALYSIS_FILE = (
    "model.json", "cell.json", "part.json", "analysis.json",
)  # fmt: skip
"""Records: each is written last, and says that the files beside it are whole."""
WEIGHTS_FILE, CHECKPOINT_FILE, HISTORY_FILE = "model.pt", "checkpoint.pt", "history.csv"
FIT_FILE, FITTED_FILE = "fit.json", "fitted.pt"
"""What a method has learned for a trained model, beside its cell: the record, and the tensors."""
MAPS_FILE, POOLED_FILE, ANY_MAPS = "maps.npz", "pooled.npz", "maps*.npz"
OWN_FOLDERS = frozenset({
    "analyses", "cells", "figures", "locks", "models", "observations", "splits", "twins",
})  # fmt: skip
"""Folders that a run makes below its output folder; whatever lies in others isn't ours."""
REPORTED = (
    "splits/*.csv",
    f"models/*/*/*/*/{HISTORY_FILE}",
    f"models/*/*/*/*/{MODEL_FILE}",
    "analyses/*/*/*/*/*/*.csv",
    f"analyses/*/*/*/*/*/{ANALYSIS_FILE}",
)
"""What a report is made from, beside ``run.json`` and the tables of rows."""
PAGE_FILE, BOARD_FILE, SLICES_FILE = "report.html", "leaderboard.csv", "slices.csv"
BOARD_MARKDOWN_FILE, BOARD_LATEX_FILE = "leaderboard.md", "leaderboard.tex"
AGREEMENT_FILE, DECISIONS_FILE = "agreement.csv", "decisions.csv"
SCORECARD_FILE, CARD_FILE = "scorecard.md", "card.md"
CLASSIFICATION_FILE, ANALYSES_FILE = "classification.csv", "analyses.csv"
PER_CLASS_FILE = "per_class.csv"
"""In the place of `CLASSIFICATION_FILE` where images may show several classes."""
REPORT_FILE = "report.json"
"""Written last: what the report was made from, and the checksums of its files."""
GRID_FILE, SHEET_FILE, EXPLAINED_FILE = "grid.png", "sheet.png", "explained.csv"
FRONTIER_FILE, BUDGETS_FILE, FRONTIER_FIGURE_FILE = "frontier.csv", "budgets.csv", "frontier.png"
STUDY_TABLE_FILE, STUDY_PAGE_FILE, STUDY_FIGURE_FILE = "study.csv", "study.md", "study.png"
COPIES_FOLDER, COPIES_FILE = "copies", "images.csv"
"""Images of a study without some of their pixels, and the table that lists them."""

DEPENDENCE_FILE = "dependence.json"
DIAGNOSTICS_FILE, DIAGNOSTICS_PAGE_FILE = "diagnostics.csv", "diagnostics.md"
OWN_FILES = frozenset({
    RUN_FILE, STUDY_FILE, LOG_FILE, SEAL_FILE, *ROWS_FILES, *(f"{name}.xz" for name in ROWS_FILES),
    GRID_FILE, REPORT_FILE, DIAGNOSTICS_FILE, DIAGNOSTICS_PAGE_FILE, STUDY_FIGURE_FILE,
})  # fmt: skip
"""Files right below the output folder that are read again, or appended to."""


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
        return folder_name(self.split) + (f"-fold{self.fold}" if folds else "")

    @property
    def title(self) -> str:
        """The trained model, for people who know the dataset."""
        return f"{self.model}, {self.fold_name}, seed {self.seed}"


def default_out(dataset: str) -> str:
    """Return where a run of a dataset leaves its results, if nobody says it."""
    return f"results/{folder_name(dataset)}"


@dataclass(frozen=True)
class Layout:
    """Paths of one run; folders keep the first names of models, methods and analyses."""

    out: Path

    def split_file(self, place: Place) -> Path:
        """Which sample is in which part, and whose masks may be seen."""
        return self.out / "splits" / f"{place.fold_name}.csv"

    def model_folder(self, place: Place) -> Path:
        """Holds ``model.pt``, ``history.csv``, ``predictions.csv`` and ``model.json``."""
        return self._folder("models", place)

    def cell_folder(self, place: Place, method: str) -> Path:
        """Holds ``maps.npz``, ``scores.csv`` and, written last, ``cell.json``."""
        return self._folder("cells", place) / folder_name(first_spec("method", method))

    def analysis_folder(self, place: Place, analysis: str) -> Path:
        """Holds tables, figures and, written last, ``analysis.json``."""
        return self._folder("analyses", place) / folder_name(first_spec("analysis", analysis))

    def observation_folder(self, place: Place) -> Path:
        """Holds embeddings and reconstruction errors, which all analyses of a model share."""
        return self._folder("observations", place)

    def _folder(self, kind: str, place: Place) -> Path:
        dataset, model = folder_name(place.dataset), folder_name(first_spec("model", place.model))
        seed = folder_name(f"seed{place.seed}")
        return self.out / kind / dataset / place.fold_name / model / seed

    def records(self, kind: str) -> Iterator[Path]:
        """Yield the records of all models, cells or analyses that are there, by their name."""
        below = {MODEL_FILE: "models", CELL_FILE: "cells", ANALYSIS_FILE: "analyses"}[kind]
        yield from sorted((self.out / below).rglob(kind))

    @property
    def holds_results(self) -> bool:
        """Whether any cell was scored, or any analysis done."""
        scores = (self.out / "cells").rglob(SCORES_FILE)
        return any(scores) or any(self.records(ANALYSIS_FILE))

    @property
    def holds_maps(self) -> bool:
        """Whether any cell has maps."""
        return any((self.out / "cells").rglob(ANY_MAPS))


def pixels_file(figure: str) -> str:
    """Return the file of the pictures that an analysis' figure shows."""
    return f"{figure}_pixels.png"


def maps_file(part: str) -> str:
    """Return the name of the file that holds the maps of one part of a cell."""
    return f"maps-{part}.npz"
