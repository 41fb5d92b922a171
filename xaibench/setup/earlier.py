"""Records from before they had a schema number: they count until their options change.

Their fingerprints were made from the sizes of files and from the code of that time, which a table
keeps. Where such a fingerprint comes out again, the record is brought up to date.
"""

import ast
import csv
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from xaibench.core.fingerprints import checksum, fingerprint
from xaibench.core.imports import PACKAGE
from xaibench.core.plugin import Bound
from xaibench.core.recipe import RECIPES
from xaibench.results.folder import MODEL_FILE
from xaibench.results.integrity import intact_record
from xaibench.results.records import SCHEMA
from xaibench.results.work_records import AnalysisRecord, CellRecord, ModelRecord
from xaibench.setup.options import TRAINING
from xaibench.setup.selection import Selection

if TYPE_CHECKING:
    from xaibench.setup.cells import Ledger

_TRAINING = (
    "epochs",
    "learning_rate",
    "train_batch_size",
    "image_size",
    "optimizer",
    "schedule",
    "class_weighting",
    "augmentation",
    "replicas",
)
# Options that there were none of; what was done then is the published recipe.
_ADDED = set(TRAINING) - set(_TRAINING)
_TRAIN = tuple(
    f"pipeline/{name}" for name in ("train", "optimise", "supervision", "averages", "trained")
)
_EXPLAIN = ("pipeline/explain", "pipeline/walk")
_ANALYZE = ("pipeline/analyse", "pipeline/observations")
_SCORE = ("pipeline/evidence", "pipeline/score", "pipeline/tuning")
# Methods whose maps were wrong for some networks; what they left is made again.
_MENDED = frozenset({"deeplift", "fullgrad", "integrated_gradients"})
_COLOUR = "colour"
# Models whose layers was in another order.
_REBUILT = frozenset({"gap_cnn"})


class Earlier:
    """The fingerprints that the results of one trained model had."""

    def __init__(self, ledger: "Ledger") -> None:
        self._ledger, self._selection = ledger, ledger.selection

    @cached_property
    def model(self) -> str:
        """Of the trained model."""
        ledger, options = self._ledger, self._selection.options
        then = {"mask_resize": "nearest", **RECIPES["published"]}
        if ledger.model.plugin.name in _REBUILT:
            return ""
        if any(getattr(options, name) != then[name] for name in _ADDED):
            return ""
        weights = options.weights
        files = [Path(v) for v in ledger.model.options.values() if isinstance(v, str | Path) and v]
        return fingerprint(
            _data(self._selection, ledger.fold),
            ledger.model.first_spec,
            ledger.seed,
            [_once(name, getattr(options, name)) for name in _TRAINING],
            weights if weights in ("none", "imagenet") else checksum(Path(weights)),
            [checksum(file) for file in files if file.is_file()],
            _code(ledger.model.plugin.file, *_TRAIN),
        )

    def maps(self, method: Bound) -> str:
        """Of a cell's maps."""
        ledger, options = self._ledger, self._selection.options
        if method.plugin.name in _MENDED or self._shares_weights:
            return ""
        passes = [options.precision, options.fold, options.compile, options.layer]
        trained = [ledger] if ledger.judge in (None, ledger) else [ledger, ledger.judge]
        made_from = [(each.earlier.model, each.weights) for each in trained]
        code = _code(method.plugin.file, *_EXPLAIN)
        return fingerprint(made_from, method.first_spec, options.target, passes, code)

    @cached_property
    def _shares_weights(self) -> bool:
        """Whether another model of the folder has these weights: their maps were mixed up."""
        records = self._selection.layout.records(MODEL_FILE)
        sums = [(intact_record(path, ModelRecord) or ModelRecord()).sha256 for path in records]
        return sums.count(self._ledger.weights) > 1

    def scores(self, method: Bound, metric: Bound) -> str:
        """Of a metric's scores."""
        target, code = self._selection.target_of(metric), _code(metric.plugin.file, *_SCORE)
        return fingerprint(self.maps(method), metric.first_spec, target, code)

    def analysis(self, analysis: Bound) -> str:
        """Of an analysis."""
        code = _code(analysis.plugin.file, *_ANALYZE)
        return fingerprint(self.model, self._ledger.weights, analysis.first_spec, code)


def _once(option: str, value: object) -> object:
    """Return an option's value as it was written then: colors had another spelling."""
    if option != "augmentation" or not isinstance(value, tuple):
        return value
    return tuple(_COLOUR if each == "color" else each for each in value)


def renew_model(ledger: "Ledger", known: ModelRecord) -> ModelRecord:
    """Return a model's record as it would be written now, if it still counts."""
    if known.schema or not known.fingerprint or known.fingerprint != ledger.earlier.model:
        return known
    return replace(
        known, schema=SCHEMA, fingerprint=ledger.model_fingerprint, made_from=ledger.parts
    )


def renew_cell(ledger: "Ledger", method: Bound, known: CellRecord) -> CellRecord:
    """Return a cell's record as it would be written now, if it still counts."""
    if known.schema or known == CellRecord():
        return known
    earlier, now = ledger.earlier.maps(method), ledger.maps_fingerprint(method)
    metrics = {
        ledger.earlier.scores(method, metric): ledger.score_fingerprint(method, metric)
        for metric in ledger.selection.metrics
    }
    renewed = replace(known, schema=SCHEMA, failed=now if known.failed == earlier else known.failed)
    if known.maps != earlier:
        return renewed
    return replace(
        renewed,
        maps=now,
        made_from=ledger.maps_parts(method),
        metrics={spec: metrics.get(made, made) for spec, made in known.metrics.items()},
        failed_metrics={
            spec: replace(each, made_from=metrics.get(each.made_from, each.made_from))
            for spec, each in known.failed_metrics.items()
        },
    )


def renew_analysis(
    ledger: "Ledger", analysis: Bound, known: AnalysisRecord, now: str
) -> AnalysisRecord:
    """Return an analysis' record as it would be written now, if it still counts."""
    earlier = "" if known.schema else ledger.earlier.analysis(analysis)
    if earlier == "" or earlier not in (known.fingerprint, known.failed):
        return known
    return replace(
        known,
        schema=SCHEMA,
        fingerprint=now if known.fingerprint == earlier else known.fingerprint,
        failed=now if known.failed == earlier else known.failed,
    )


@cache
def _data(selection: Selection, fold: int) -> str:
    options, split = selection.options, selection.split(fold)
    parts = [[s.id for s in part] for part in (split.train, split.validation, split.test)]
    about = [
        (
            s.id,
            s.label,
            s.group,
            _size(s.path),
            [(mask.path.name, mask.grade, mask.value, _size(mask.path)) for mask in s.masks],
            s.boxes,
        )
        for s in selection.dataset.samples
    ]
    code = _code(selection.dataset_plugin.plugin.file, "core/splits")
    return fingerprint(
        selection.dataset_spec, about, parts, sorted(split.seen), options.image_size, code
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


@cache
def _code(*places: str | Path) -> str:
    found: dict[str, str] = {}
    for place in places:
        _follow(place, found)
    return fingerprint(list(found.values()))


def _follow(place: str | Path, found: dict[str, str]) -> None:
    path = PACKAGE / f"{place}.py" if isinstance(place, str) else place
    inside = path.is_relative_to(PACKAGE)
    name = path.relative_to(PACKAGE).with_suffix("").as_posix() if inside else str(path)
    if name in found:
        return
    found[name], imports = _table().get(name) or _read(path)
    for each in imports:
        _follow(each, found)


@cache
def _table() -> dict[str, tuple[str, list[str]]]:
    with Path(__file__).with_name("earlier_code.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["file"]: (row["fingerprint"], row["imports"].split()) for row in rows}


def _read(path: Path) -> tuple[str, list[str]]:
    """Look at a user's plugin file as it was done then."""
    tree = ast.parse(path.read_text("utf-8"))
    imported = {
        f"core/{node.module[len('xaibench.core.') :].replace('.', '/')}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module
        and node.module.startswith("xaibench.core.")
    }
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            first.value = ast.Constant("")
    return fingerprint(ast.dump(tree)), sorted(imported & _table().keys())
