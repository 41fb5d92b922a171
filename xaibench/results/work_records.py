"""Records of models, cells, parts and analyses: each says that the files beside it are whole.

A fingerprint or a checksum that is empty fits nothing: so reads the record of what isn't there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from xaibench.core.findings import Figure, Lines
from xaibench.core.supervision import Supervision
from xaibench.results.checked import Count, FileName
from xaibench.results.folder import Place
from xaibench.results.plain import is_plain_name
from xaibench.results.records import Made
from xaibench.results.tables import COSTS, DEPENDENCE, GAP

UNSAID: Literal["unsaid"] = "unsaid"
Sums = Mapping[FileName, str]
"""Checksums of files, by their names."""


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """``model.json``; `UNSAID` is what nobody knows, and earlier versions recorded none.

    ``tested_on`` is the fingerprint of a dataset that is tested on alone.
    """

    schema: int | None = None
    model: str = ""
    fingerprint: str = ""
    made_from: Mapping[str, Any] | None = None
    made_by: Sequence[Made] = ()
    sha256: str = ""
    predictions_sha256: str = ""
    supervision: Supervision | Literal["unsaid"] | None = None
    tested_on: str = ""


@dataclass(frozen=True, kw_only=True)
class FitRecord:
    """``fit.json``: what a method has learned for a trained model, and what that cost in all."""

    schema: int | None = None
    method: str = ""
    fingerprint: str = ""
    made_from: Mapping[str, Any] | None = None
    made_by: Sequence[Made] = ()
    sha256: str = ""
    seconds: float = 0.0
    forwards: float = 0.0
    peak_memory_mb: float | None = None


@dataclass(frozen=True)
class FailedMetric:
    """Why a metric failed, and what its scores would have been made from."""

    error: str
    made_from: str


@dataclass(frozen=True, kw_only=True)
class CellRecord:
    """``cell.json``: what maps and scores were made from, by metric, and what a map cost.

    ``failed`` is the fingerprint of maps that could not be made; ``skipped`` where the method said
    that it can't explain this, which is no failure. ``next`` goes with the scores that
    are just being put in place.
    """

    schema: int | None = None
    method: str = ""
    maps: str = ""
    made_from: Mapping[str, Any] | None = None
    made_by: Sequence[Made] = ()
    files: Sums = field(default_factory=dict)
    scores_sha256: str = ""
    metrics: Mapping[str, str] = field(default_factory=dict)
    failed_metrics: Mapping[str, FailedMetric] = field(default_factory=dict)
    error: str | None = None
    failed: str | None = None
    skipped: bool | None = None
    seconds_per_image: float | None = None
    forwards_per_image: float | None = None
    peak_memory_mb: float | None = None
    completeness_gap: float | None = None
    tuned_threshold: float | None = None
    tuned_by_class: Mapping[str, float] = field(default_factory=dict)
    next: "CellRecord | None" = None

    @property
    def costs(self) -> dict[str, Any]:
        """What a map cost, by the columns of ``costs.csv``."""
        return {name: getattr(self, name) for name in (*COSTS, GAP)}


@dataclass(frozen=True, kw_only=True)
class DependenceRecord:
    """``dependence.json``: how much a method's maps change with the decision; None is undefined.

    Each is 1 minus the mean rank correlation over ``images`` test images: with the maps of the
    runner-up class, and with those of a copy with random weights in its last ``layers``.
    """

    schema: int | None = None
    method: str = ""
    made_from: str = ""
    made_by: Sequence[Made] = ()
    images: Count = 0
    layers: Sequence[str] = ()
    error: str | None = None
    dependence_runner_up: float | None = None
    dependence_random_layers: float | None = None

    @property
    def figures(self) -> dict[str, float | None]:
        """Both, by the columns of ``costs.csv``."""
        return {name: getattr(self, name) for name in DEPENDENCE}


@dataclass(frozen=True)
class PartCosts:
    """What the maps of a part cost in all."""

    seconds: float
    passes: float
    peak: float | None = None
    gap: float | None = None


@dataclass(frozen=True, kw_only=True)
class PartRecord:
    """``part.json``: what some images' maps and scores were made from."""

    maps: str = ""
    made_by: Sequence[Made] = ()
    files: Sums = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    failed_metrics: Mapping[str, str] = field(default_factory=dict)
    images: Count = 0
    non_finite: Count = 0
    costs: PartCosts | None = None
    sha256: Sums = field(default_factory=dict)


@dataclass(frozen=True)
class NoteRecord:
    """A fact about a cell in work, and what it was found under."""

    content: Any
    made_from: str
    skips: bool = False


@dataclass(frozen=True, kw_only=True)
class RequestRecord:
    """What a run at work asks for, told to others in the same folder.

    ``makes`` tells of each model's folder what it and its maps are made from.
    """

    options: Mapping[str, Any]
    command: str = ""
    makes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True)
class ObservationRecord:
    """What an array of embeddings or errors was made from, and its checksum."""

    fingerprint: str
    sha256: str


def _check_figures(figures: Sequence[Figure]) -> Sequence[Figure]:
    for each in figures:
        for name in (each.name, each.table if isinstance(each, Lines) else each.name):
            if not is_plain_name(name):  # it would lie elsewhere
                raise ValueError(f"'{name}' can't be the name of a figure or a table")
    return figures


@dataclass(frozen=True, kw_only=True)
class AnalysisRecord:
    """``analysis.json``: what an analysis found in one trained model, or why it failed."""

    schema: int | None = None
    analysis: str = ""
    error: str | None = None
    failed: str | None = None
    dataset: str = ""
    split: str = ""
    fold: int = 0
    model: str = ""
    seed: int = 0
    model_sha256: str = ""
    fingerprint: str = ""
    files: Sums = field(default_factory=dict)
    classes: Sequence[str] = ()
    quantities: Sequence[str] = ()
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    bounds: tuple[float, float] = (0.0, 1.0)
    paper: str | None = None
    pairs: Sequence[tuple[str, str]] = ()
    figures: Annotated[Sequence[Figure], AfterValidator(_check_figures)] = ()
    notes: Sequence[str] = ()
    made_by: Sequence[Made] = ()

    @property
    def place(self) -> Place:
        """The trained model that was analyzed."""
        return Place(self.dataset, self.split, self.fold, self.model, self.seed)
