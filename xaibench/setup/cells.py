"""Cells, and the fingerprints that tell whether a stored result still holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xaibench.core.fingerprints import fingerprint
from xaibench.core.plugin import Bound
from xaibench.results.folder import PREDICTIONS_FILE, SCORES_FILE, WEIGHTS_FILE, Place
from xaibench.results.integrity import are_intact, is_intact
from xaibench.results.stored_work import read_cell, stored_model
from xaibench.results.work_records import CellRecord, DependenceRecord, ModelRecord
from xaibench.setup.earlier import Earlier, renew_cell, renew_model
from xaibench.setup.fits import fit_of
from xaibench.setup.jobs import Job
from xaibench.setup.made_from import (
    Parts,
    maps_parts,
    model_parts,
    score_parts,
    tell_difference,
    test_parts,
)
from xaibench.setup.provenance import is_of_today
from xaibench.setup.selection import Selection


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
        return stored_model(self.folder).sha256

    @property
    def known(self) -> ModelRecord:
        """The record of the trained model; empty where there is none."""
        return renew_model(self, stored_model(self.folder))

    @cached_property
    def earlier(self) -> Earlier:
        """The fingerprints of records without a schema number."""
        return Earlier(self)

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
    def parts(self) -> Parts:
        """What the trained model is made from: data, split, options of training and code."""
        return model_parts(self.selection, self.fold, self.model, self.seed)

    @cached_property
    def model_fingerprint(self) -> str:
        """The fingerprint of these parts."""
        return fingerprint(self.parts)

    @property
    def made_from(self) -> list[tuple[str, str]]:
        """What the model and the one that judges its maps were made from, and their weights."""
        # A judge beside the models has no job of its own, so that nothing else notices its changes.
        trained = [self] if self.judge in (None, self) else [self, self.judge]
        # A lost model is trained again, and on a GPU its weights come out a little different.
        return [(ledger.model_fingerprint, ledger.weights) for ledger in trained]

    def maps_parts(self, method: Bound) -> Parts:
        """Return what maps are made from: the models, the method and the engine that records."""
        parts = maps_parts(self.selection, self.made_from, method)
        return parts | ({"fit": fit_of(self, method).made_from} if method.plugin.fit else {})

    def maps_fingerprint(self, method: Bound) -> str:
        """Return the fingerprint of these parts."""
        return fingerprint(self.maps_parts(method))

    def score_fingerprint(self, method: Bound, metric: Bound) -> str:
        """Return the fingerprint of the maps, the metric and the engine that covers images."""
        return fingerprint(score_parts(self.selection, self.maps_fingerprint(method), metric))

    @cached_property
    def tested_on(self) -> str:
        """The fingerprint of a dataset that is tested on alone; empty without one."""
        return fingerprint(parts) if (parts := test_parts(self.selection)) else ""

    def has_weights(self) -> bool:
        """Whether the stored weights are whole and made from the same."""
        return self._holds({WEIGHTS_FILE: self.known.sha256})

    def model_is_trained(self) -> bool:
        """Whether weights and predictions are whole, and made from the same."""
        known = self.known
        files = {WEIGHTS_FILE: known.sha256, PREDICTIONS_FILE: known.predictions_sha256}
        return self._holds(files) and known.tested_on == self.tested_on

    def _holds(self, files: Mapping[str, str]) -> bool:
        known = self.known
        # The content of all data is looked at only where something is there to compare.
        same = known.fingerprint != "" and known.fingerprint == self.model_fingerprint
        return same and are_intact(self.folder, files) and self.accepts(known)

    @property
    def changed(self) -> str:
        """What differs between what the stored model was made from and today's, in words."""
        then = self.known.made_from
        return tell_difference(then, self.parts) if then else ""

    def accepts(self, known: ModelRecord | CellRecord | DependenceRecord) -> bool:
        """Whether a result may count, whatever versions made it, or only because today's did."""
        strict = self.selection.options.strict_versions
        return not strict or is_of_today(known.made_by)

    def cell_state(self, method: Bound) -> "CellState":
        """Return what of a cell is there already."""
        known = renew_cell(self, method, read_cell(self.cell_folder(method)))
        return CellState(self, method, known)


def ledger_of(selection: Selection, job: Job) -> Ledger:
    """Return the one of a job's model."""
    return Ledger(selection, job.fold, selection.model(job.model), job.seed)


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
    known: CellRecord

    @cached_property
    def maps_fingerprint(self) -> str:
        """What the cell's maps must be made from."""
        return self.ledger.maps_fingerprint(self.method)

    @cached_property
    def fits(self) -> bool:
        """Whether the stored maps, or what was scored of them, were made from the same."""
        same = self.known.maps != "" and self.known.maps == self.maps_fingerprint
        return same and self.ledger.accepts(self.known)

    @cached_property
    def has_maps(self) -> bool:
        """Whether the stored maps are whole and made from the same."""
        return self.fits and bool(self.known.files) and self._all_intact

    @cached_property
    def _all_intact(self) -> bool:
        folder = self.ledger.cell_folder(self.method)
        return are_intact(folder, self.known.files)

    @cached_property
    def scored(self) -> frozenset[str]:
        """The metrics whose stored scores are whole and made from the same."""
        scores = self.ledger.cell_folder(self.method) / SCORES_FILE
        # A cell may keep no maps; those that it keeps must be those that were scored.
        if not (self.fits and self._all_intact):
            return frozenset()
        if not is_intact(scores, self.known.scores_sha256):
            return frozenset()
        return self._current(self.known.metrics)

    @cached_property
    def failure(self) -> str | None:
        """Why the method failed, if it would fail again."""
        failed = self.known.failed
        same = failed is not None and failed == self.maps_fingerprint
        return self.known.error if same else None

    @property
    def skip(self) -> str | None:
        """Why the method can't explain this, if it has said so."""
        return self.failure if self.known.skipped else None

    @cached_property
    def failed_metrics(self) -> Mapping[str, str]:
        """Why metrics failed that would fail again, by their specs."""
        failed = self.known.failed_metrics if self.fits else {}
        held = self._current({spec: each.made_from for spec, each in failed.items()})
        return {spec: each.error for spec, each in failed.items() if spec in held}

    def failures(self, metrics: Sequence[Bound]) -> dict[str, str]:
        """Return what would fail again, by method or metric, and why; not what is skipped."""
        if self.failure is not None:
            return {} if self.known.skipped else {self.method.spec: self.failure}
        return {
            f"{metric.spec} of {self.method.spec}": self.failed_metrics[metric.spec]
            for metric in metrics
            if metric.spec in self.failed_metrics
        }

    @property
    def changed(self) -> str:
        """What differs between what stored results were made from and today's, in words."""
        if not self.fits:
            then = self.known.made_from
            return tell_difference(then, self.ledger.maps_parts(self.method)) if then else ""
        stale = [m.spec for m in self.ledger.selection.metrics if m.spec in self.known.metrics]
        stale = [spec for spec in stale if spec not in self._current(self.known.metrics)]
        return f"other code, files or target of {', '.join(stale)}" if stale else ""

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
