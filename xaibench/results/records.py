"""What the JSON files of a run's folder hold, as types; `integrity` reads and writes them.

A field that is None is left out of its file, and what a file doesn't name has its default, as in
earlier versions. Open mappings (options, protocol) are checked in those entries that are read.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from xaibench.core.errors import XaibenchError
from xaibench.core.recipe import recipe_of
from xaibench.core.supervision import Supervision
from xaibench.results.checked import Count, Resize, Share, Side, holding
from xaibench.results.sources import Source, SubmissionEntry

SCHEMA = 2
"""Of the records that are written now; those from before there were numbers have none."""


@dataclass(frozen=True, kw_only=True)
class _Options:
    dataset: str = ""
    data_root: str = ""
    image_size: Side = 224
    mask_resize: Resize = "nearest"
    target: str = "auto"
    limit: Count = 0
    weights: str = ""
    keep_maps: bool = True
    plugin: Sequence[str] = ()
    recipe: Literal["published", "strong"] = "published"


@dataclass(frozen=True, kw_only=True)
class _Protocol:
    split: str = ""
    image_size: Side | None = None
    judge: str = ""
    targets: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """What ``run.json`` says of a model."""

    paper: str | None = None
    classifies: bool = True
    all_masks: bool = False


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """What ``run.json`` says of a method.

    ``mask_fraction`` is what submitted maps learned from, ``title`` its name on the board,
    ``learned`` what it took from the run's training images, beside what its model had.
    """

    family: str
    sign: Literal["relu", "abs", "none"] = "relu"
    rescale: Literal["minmax", "none"] = "minmax"
    blind: bool = False
    supervision: Supervision | None = None
    mask_fraction: Share | None = None
    paper: str | None = None
    title: str | None = None
    learned: Supervision | None = None

    @property
    def kind(self) -> str:
        """``method``, ``learned`` or ``control``."""
        return self.family if self.family in ("learned", "control") else "method"


@dataclass(frozen=True, kw_only=True)
class MetricEntry:
    """What ``run.json`` says of a metric; ``title`` is what the field calls it."""

    higher_is_better: bool
    title: str | None = None
    family: str
    bounds: tuple[float | None, float | None] = (None, None)
    target: str = "label"
    estimand: str = ""
    ranked: bool = True
    definition: Mapping[str, str] | None = None
    paper: str | None = None

    @property
    def sign(self) -> int:
        """1 where higher is better, and -1."""
        return 1 if self.higher_is_better else -1

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and largest value possible; JSON has no infinity and says null."""
        low, high = self.bounds
        return -math.inf if low is None else low, math.inf if high is None else high

    @property
    def is_pooled(self) -> bool:
        """Whether it has one value for all images together."""
        return self.estimand.startswith("pooled")


@dataclass(frozen=True, kw_only=True)
class DatasetEntry:
    """What belongs to one of several datasets; ``recipes`` are options of training, by model."""

    classes: Sequence[str] = ()
    mask_fraction: Share | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    supervision: Mapping[str, Supervision | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Skip:
    """A cell or a metric that can't be, and the reason."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a result was made with: versions of libraries, device, precision, command and date."""

    versions: Mapping[str, str] = field(default_factory=dict)
    compute: Mapping[str, Any] = field(default_factory=dict)
    precision: str = ""
    command: str = ""
    date: str = ""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """``run.json``: enough to repeat a run and to read its tables without its plugins.

    ``datasets`` and ``sources`` are of merged runs, ``submission`` of scored maps; versions, date
    and device those of models and cells. ``won`` (in no file) tells how maps without a network win;
    ``several_labels``: images may show several classes.
    """

    schema: int | None = None
    xaibench: str = ""
    command: str = ""
    date: str = ""
    sources: Sequence[Source] | None = None
    options: Annotated[Mapping[str, Any], holding(_Options)] = field(default_factory=dict)
    dataset: str = ""
    datasets: Mapping[str, DatasetEntry] | None = None
    classes: Sequence[str]
    seeds: Sequence[int] = ()
    mask_fraction: Share | None = None
    protocol: Annotated[Mapping[str, Any], holding(_Protocol)] = field(default_factory=dict)
    protocol_hash: str = ""
    splits: Mapping[str, str] = field(default_factory=dict)
    suite: Mapping[str, str] | None = None
    models: Mapping[str, ModelEntry] = field(default_factory=dict)
    supervision: Mapping[str, Supervision | None] = field(default_factory=dict)
    methods: Mapping[str, MethodEntry]
    metrics: Mapping[str, MetricEntry]
    skipped: Sequence[Skip] = ()
    warnings: Sequence[str] = ()
    compute: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    made_by: Sequence[Made] = ()
    submission: SubmissionEntry | None = None
    publication: bool | None = None
    several_labels: bool | None = None
    won: Mapping[str, str] | None = None

    @property
    def recipe(self) -> str:
        """Of its trainings; before there were recipes it was the published one."""
        return str(self.options.get("recipe", "published"))

    @property
    def redraws(self) -> bool:
        """Whether each training seed draws its masks anew; there was a time when none did."""
        return bool(self.options.get("redraw", False))

    def kind_of(self, method: str) -> str:
        """Return ``method``, ``learned`` or ``control``.

        Raises:
            XaibenchError: the run doesn't list the method.
        """
        if method not in self.methods:
            told = f"the scores hold method '{method}', but run.json doesn't list it: another run "
            raise XaibenchError(f"{told}wrote it; repeat the run's command.")
        return self.methods[method].kind

    def is_blind(self, method: str) -> bool:
        """Whether a control looks at nothing of the image."""
        return self.kind_of(method) == "control" and self.methods[method].blind

    def of_dataset(self, dataset: str) -> DatasetEntry:
        """Return what belongs to a dataset."""
        return self.all_datasets.get(dataset) or self._own

    @property
    def all_datasets(self) -> Mapping[str, DatasetEntry]:
        """What belongs to each dataset; a run has one, merged runs may have several."""
        return {self.dataset: self._own} if self.datasets is None else self.datasets

    @property
    def image_size(self) -> int:
        """Side of the square that images are resized to, in pixels."""
        return int(self.options.get("image_size", _Options.image_size))

    @property
    def mask_resize(self) -> Resize:
        """How masks are resized."""
        return "area" if self.options.get("mask_resize") == "area" else "nearest"

    @property
    def all_warnings(self) -> list[str]:
        """The warnings of the run and of its submission, each once."""
        submitted = self.submission.warnings if self.submission else ()
        return list(dict.fromkeys([*self.warnings, *submitted]))

    @property
    def _own(self) -> DatasetEntry:
        recipe = recipe_of(self.options)
        return DatasetEntry(
            classes=self.classes, mask_fraction=self.mask_fraction, splits=self.splits,
            recipes=dict.fromkeys(self.models, recipe), supervision=self.supervision,
        )  # fmt: skip
