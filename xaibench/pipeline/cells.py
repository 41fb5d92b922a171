"""Cells, and the fingerprints that tell whether a stored result still holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from stat import S_ISREG
from typing import Any

from xaibench.core.fingerprints import checksum, code_of, fingerprint
from xaibench.core.intact import are_intact, is_intact, read_record
from xaibench.core.layout import Place
from xaibench.core.plugin import Bound
from xaibench.pipeline.jobs import Job
from xaibench.pipeline.options import TRAINING
from xaibench.pipeline.selection import Selection

# The engine that each stage runs on, beside the plugin itself; what these import counts, too.
_SPLIT_CODE = ("core/splits",)
_TRAIN_CODE = ("pipeline/train", "pipeline/optimise", "pipeline/supervision", "pipeline/averages",
               "pipeline/trained")  # fmt: skip
_EXPLAIN_CODE = ("pipeline/explain", "pipeline/walk")
_SCORE_CODE = ("pipeline/evidence", "pipeline/score", "pipeline/tuning")


class Ledger:
    """Knows for one trained model what every stored result must have been made from."""

    def __init__(self, selection: Selection, fold: int, model: Bound, seed: int) -> None:
        self.selection, self.fold, self.model, self.seed = selection, fold, model, seed
        dataset, split = selection.dataset_spec, selection.split_name
        self.place = Place(dataset, split, fold, model.spec, seed)
        self.folder = selection.layout.model_folder(self.place)

    @property
    def weights(self) -> str:
        """The checksum of the trained weights; empty where there are none."""
        return str(read_record(self.folder / "model.json").get("sha256", ""))

    @property
    def title(self) -> str:
        """The trained model, for people."""
        return f"{self.model.spec}, fold {self.fold}, seed {self.seed}"

    @cached_property
    def judge(self) -> "Ledger | None":
        """The trained model whose predictions and confidences count for this one's maps."""
        judge = self.selection.judge_of(self.model)
        if judge is None:
            return None
        if judge.spec == self.model.spec:
            return self
        return Ledger(self.selection, self.fold, judge, self.seed)

    def cell_folder(self, method: Bound) -> Path:
        """Where a method's cell lies."""
        return self.selection.layout.cell_folder(self.place, method.spec)

    @cached_property
    def model_fingerprint(self) -> str:
        """Dataset, split, training options and all code that training runs on."""
        selection, options = self.selection, self.selection.options
        weights = options.weights
        return fingerprint(
            data_fingerprint(selection, self.fold),
            self.model.spec,
            self.seed,
            [getattr(options, name) for name in TRAINING],
            weights if weights in ("none", "imagenet") else checksum(Path(weights)),
            [checksum(Path(v)) for v in self.model.options.values() if _is_file(v)],
            code_of(self.model.plugin.file, *_TRAIN_CODE),
        )

    @property
    def made_from(self) -> list[tuple[str, str]]:
        """What the model and the one that judges its maps were made from, and their weights."""
        # A judge beside the models has no job of its own, so that nothing else notices its changes.
        trained = [self] if self.judge in (None, self) else [self, self.judge]
        # A lost model is trained again, and on a GPU its weights come out a little different.
        return [(ledger.model_fingerprint, ledger.weights) for ledger in trained]

    def maps_fingerprint(self, method: Bound) -> str:
        """The model, who judges it, the method and the engine that records for it."""
        options = self.selection.options
        code = code_of(method.plugin.file, *_EXPLAIN_CODE)
        passes = [options.precision, options.fold, options.compile, options.layer]
        return fingerprint(self.made_from, method.spec, options.target, passes, code)

    def score_fingerprint(self, method: Bound, metric: Bound) -> str:
        """The maps, the metric and the engine that covers images for it."""
        code = code_of(metric.plugin.file, *_SCORE_CODE)
        target = self.selection.target_of(metric)
        return fingerprint(self.maps_fingerprint(method), metric.spec, target, code)

    def model_is_trained(self) -> bool:
        """Whether the stored model is whole and made from the same."""
        known = read_record(self.folder / "model.json")
        return known.get("fingerprint") == self.model_fingerprint and are_intact(
            self.folder,
            {"model.pt": known["sha256"], "predictions.csv": known["predictions_sha256"]},
        )

    def cell_state(self, method: Bound) -> "CellState":
        """Return what of a cell is there already."""
        return CellState(self, method, read_cell(self.cell_folder(method)))


def ledger_of(selection: Selection, job: Job) -> Ledger:
    """Return the one of a job's model."""
    return Ledger(selection, job.fold, selection.model(job.model), job.seed)


def read_cell(folder: Path) -> dict[str, Any]:
    """Return the record that goes with a cell's scores; empty where there is none."""
    known = read_record(folder / "cell.json")
    coming = known.get("next")
    if isinstance(coming, dict) and coming.get("scores_sha256") == checksum(folder / "scores.csv"):
        return coming  # the process ended between the scores and their record
    return known


def ledgers_of(selection: Selection) -> Iterator[Ledger]:
    """Yield one for each model that a run trains."""
    for model in selection.models:
        for fold in selection.folds:
            for seed in selection.options.seeds:
                yield Ledger(selection, fold, model, seed)


@dataclass(frozen=True)
class CellState:
    """What of a cell still holds."""

    ledger: Ledger
    method: Bound
    known: Mapping[str, Any]

    @cached_property
    def maps_fingerprint(self) -> str:
        """What the cell's maps must be made from."""
        return self.ledger.maps_fingerprint(self.method)

    @cached_property
    def fits(self) -> bool:
        """Whether the stored maps, or what was scored of them, were made from the same."""
        whole = all(isinstance(self.known.get(name), dict) for name in ("files", "metrics"))
        return whole and self.known.get("maps") == self.maps_fingerprint

    @cached_property
    def has_maps(self) -> bool:
        """Whether the stored maps are whole and made from the same."""
        return self.fits and bool(self.known["files"]) and self._all_intact

    @cached_property
    def _all_intact(self) -> bool:
        folder = self.ledger.cell_folder(self.method)
        return are_intact(folder, self.known["files"])

    @cached_property
    def scored(self) -> frozenset[str]:
        """The metrics whose stored scores are whole and made from the same."""
        scores = self.ledger.cell_folder(self.method) / "scores.csv"
        # A cell may keep no maps; those that it keeps must be those that were scored.
        if not (self.fits and self._all_intact):
            return frozenset()
        if not is_intact(scores, self.known.get("scores_sha256")):
            return frozenset()
        return self._current(self.known["metrics"])

    @cached_property
    def failure(self) -> str | None:
        """Why the method failed, if it would fail again."""
        same = self.known.get("failed") == self.maps_fingerprint
        return str(self.known["error"]) if same else None

    @cached_property
    def failed_metrics(self) -> Mapping[str, str]:
        """Why metrics failed that would fail again, by their specs."""
        failed = self.known.get("failed_metrics", {}) if self.fits else {}
        held = self._current({spec: record["made_from"] for spec, record in failed.items()})
        return {spec: failed[spec]["error"] for spec in failed if spec in held}

    def failures(self, metrics: Sequence[Bound]) -> dict[str, str]:
        """Return what would fail again, by method or metric, and why."""
        if self.failure is not None:
            return {self.method.spec: self.failure}
        return {
            f"{metric.spec} of {self.method.spec}": self.failed_metrics[metric.spec]
            for metric in metrics
            if metric.spec in self.failed_metrics
        }

    def missing_metrics(self, wanted: Sequence[Bound], *, retry: bool = False) -> list[Bound]:
        """Return the metrics still to be computed.

        Args:
            wanted: all that are asked for.
            retry: count what has failed as missing, too.
        """
        if self.failure is not None and not retry:
            return []
        done = self.scored if retry else self.scored | self.failed_metrics.keys()
        return [metric for metric in wanted if metric.spec not in done]

    def _current(self, stored: Mapping[str, str]) -> frozenset[str]:
        """Return of metrics by what they were made from those that today's would equal."""
        ledger, chosen = self.ledger, self.ledger.selection.metrics
        today = {metric.spec: ledger.score_fingerprint(self.method, metric) for metric in chosen}
        return frozenset(spec for spec, made_from in today.items() if stored.get(spec) == made_from)


@cache
def data_fingerprint(selection: Selection, fold: int) -> str:
    """The samples with their files' sizes, their division, and the code that reads them."""
    options, split = selection.options, selection.split(fold)
    parts = [[s.id for s in part] for part in (split.train, split.validation, split.test)]
    about = [
        (s.id, s.label, s.group, _size(s.path),
         [(layer.path.name, *layer[1:], _size(layer.path)) for layer in s.masks], s.boxes)
        for s in selection.dataset.samples
    ]  # fmt: skip
    code = code_of(selection.dataset_plugin.plugin.file, *_SPLIT_CODE)
    return fingerprint(
        selection.dataset_spec, about, parts, sorted(split.seen), options.image_size, code
    )


def _size(path: Path) -> int:
    """Return a file's size: a changed image or mask shows in it almost always, and cheaply."""
    try:
        found = path.stat()  # once: a million files on a distant disk take minutes
    except OSError:
        return 0
    return found.st_size if S_ISREG(found.st_mode) else 0


def _is_file(value: object) -> bool:
    return isinstance(value, (str, Path)) and bool(str(value)) and Path(value).is_file()
