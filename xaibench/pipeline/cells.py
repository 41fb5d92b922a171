"""Jobs and cells, and the fingerprints that tell whether a stored result still holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from xaibench.core.fingerprints import checksum, code_of, fingerprint
from xaibench.core.layout import Place
from xaibench.core.plugin import Bound
from xaibench.core.store import read_json
from xaibench.pipeline.options import TRAINING
from xaibench.pipeline.selection import Selection

# The engine that each stage runs on, beside the plugin itself; what these import counts, too.
_SPLIT_CODE = ("core/splits",)
_TRAIN_CODE = ("pipeline/train", "pipeline/optimise", "pipeline/supervision", "pipeline/trained")
_EXPLAIN_CODE = ("pipeline/explain", "pipeline/work")
_SCORE_CODE = ("pipeline/score", "pipeline/tuning")


@dataclass(frozen=True)
class Job:
    """All missing cells that share a trained model. Strings and numbers only, so it travels."""

    fold: int
    model: str
    seed: int
    methods: tuple[str, ...]
    analyses: tuple[str, ...] = ()


class Ledger:
    """Knows for one trained model what every stored result must have been made from."""

    def __init__(self, selection: Selection, fold: int, model: Bound, seed: int) -> None:
        self.selection, self.fold, self.model, self.seed = selection, fold, model, seed
        options = selection.options
        self.place = Place(selection.dataset_spec, options.split, fold, model.spec, seed)
        self.folder = selection.layout.model_folder(self.place)

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

    def maps_fingerprint(self, method: Bound) -> str:
        """The model, who judges it, the method and the engine that records for it."""
        options = self.selection.options
        code = code_of(method.plugin.file, *_EXPLAIN_CODE)
        passes = [options.precision, options.fold, options.compile, options.layer]
        # A judge beside the models has no job of its own, so that nothing else notices its changes.
        trained = [self] if self.judge in (None, self) else [self, self.judge]
        # A lost model is trained again, and on a GPU its weights come out a little different.
        made_from = [
            (ledger.model_fingerprint, read_json(ledger.folder / "model.json").get("sha256"))
            for ledger in trained
        ]
        return fingerprint(made_from, method.spec, options.target, passes, code)

    def score_fingerprint(self, method: Bound, metric: Bound) -> str:
        """The maps, the metric and the engine that covers images for it."""
        code = code_of(metric.plugin.file, *_SCORE_CODE)
        target = self.selection.target_of(metric)
        return fingerprint(self.maps_fingerprint(method), metric.spec, target, code)

    def model_is_trained(self) -> bool:
        """Whether the stored model is whole and made from the same."""
        known = read_json(self.folder / "model.json")
        return (
            known.get("fingerprint") == self.model_fingerprint
            and known.get("sha256") == checksum(self.folder / "model.pt")
            and known.get("predictions_sha256") == checksum(self.folder / "predictions.csv")
        )

    def cell_state(self, method: Bound) -> "CellState":
        """Return what of a cell is there already."""
        known = read_json(self.cell_folder(method) / "cell.json")
        return CellState(self, method, known)


@dataclass(frozen=True)
class CellState:
    """What of a cell still holds."""

    ledger: Ledger
    method: Bound
    known: Mapping[str, Any]

    @cached_property
    def has_maps(self) -> bool:
        """Whether the stored maps are whole and made from the same."""
        maps = self.ledger.cell_folder(self.method) / "maps.npz"
        return self.known.get("maps") == self.ledger.maps_fingerprint(
            self.method
        ) and self.known.get("maps_sha256") == checksum(maps)

    @cached_property
    def scored(self) -> frozenset[str]:
        """The metrics whose stored scores are whole and made from the same."""
        scores = self.ledger.cell_folder(self.method) / "scores.csv"
        if not self.has_maps or self.known.get("scores_sha256") != checksum(scores):
            return frozenset()
        stored = self.known.get("metrics", {})
        metrics = self.ledger.selection.metrics
        held = {m.spec for m in metrics
                if stored.get(m.spec) == self.ledger.score_fingerprint(self.method, m)}  # fmt: skip
        return frozenset(held)

    def missing_metrics(self, wanted: Sequence[Bound]) -> list[Bound]:
        """Return the metrics still to be computed."""
        return [metric for metric in wanted if metric.spec not in self.scored]


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
    return path.stat().st_size if path.is_file() else 0


def _is_file(value: object) -> bool:
    return isinstance(value, (str, Path)) and bool(str(value)) and Path(value).is_file()
