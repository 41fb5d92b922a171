"""The whole run: plan, jobs, and the tables of rows that the report is made from."""

import logging
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.layout import Place
from xaibench.core.splits import Split
from xaibench.core.store import (
    checksum,
    code_of,
    fingerprint,
    remove_leftovers,
    write_json,
    write_with,
)
from xaibench.pipeline.cells import Ledger
from xaibench.pipeline.plan import Plan
from xaibench.pipeline.selection import Selection
from xaibench.pipeline.work import do_job

_log = logging.getLogger(__name__)
SCORE_COLUMNS = [*Place._fields, "method", "sample", "metric", "value", "status"]
_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "scikit-image", "pillow")


@dataclass
class Outcome:
    """What a run came to."""

    out: Path
    failures: dict[str, str] = field(default_factory=dict)


def run_plan(selection: Selection, plan: Plan, command: str) -> Outcome:
    """Do all jobs and gather what they and earlier runs left."""
    out = selection.layout.out
    outcome = Outcome(out)
    remove_leftovers(out)
    splits = dict(_save_split(selection, fold) for fold in selection.folds)
    write_json(out / "run.json", describe_run(selection, plan, command, splits))
    for number, job in enumerate(plan.jobs, 1):
        _log.info("job %d of %d: %s, fold %d, seed %d", number, len(plan.jobs), job.model,
                  job.fold, job.seed)  # fmt: skip
        for method, error in do_job(selection, job, plan.metrics).items():
            cell = f"{method} on {job.model}, fold {job.fold}, seed {job.seed}"
            outcome.failures[cell] = error
    gather(selection, plan)
    return outcome


def describe_run(
    selection: Selection, plan: Plan, command: str, splits: dict[str, str]
) -> dict[str, Any]:
    """Return what ``run.json`` says: enough to repeat the run and to read its tables."""
    options = selection.options
    protocol = describe_protocol(selection, plan)
    return {
        "xaibench": xaibench.__version__,
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "options": options.as_dict(),
        "dataset": selection.dataset_spec,
        "classes": list(selection.dataset.classes),
        "seeds": list(options.seeds),
        "mask_fraction": options.mask_fraction if selection.dataset.annotated else 0.0,
        "protocol": protocol,
        "protocol_hash": fingerprint(protocol),
        "splits": splits,
        "models": {m.spec: {"paper": m.plugin.paper} for m in selection.models},
        "methods": {
            m.spec: {**asdict(m.plugin.traits), "paper": m.plugin.paper} for m in selection.methods
        },
        "metrics": {
            m.spec: {
                "higher_is_better": m.higher_is_better,
                "family": m.plugin.traits.family,
                "bounds": list(m.plugin.traits.bounds),
                "target": selection.target_of(m),
                "paper": m.plugin.paper,
            }
            for m in plan.metrics
        },
        "skipped": [asdict(skip) for skip in plan.skips],
        "versions": _versions(),
    }


def describe_protocol(selection: Selection, plan: Plan) -> dict[str, Any]:
    """Return what decides about a number beside model and method; runs that differ don't mix."""
    options = selection.options
    return {
        "split": options.split,
        "split_seed": options.split_seed,
        "mask_fraction": options.mask_fraction,
        "image_size": options.image_size,
        "limit": options.limit,
        "resize": "bilinear, align_corners=False; masks nearest",
        "targets": {metric.spec: selection.target_of(metric) for metric in plan.metrics},
        "metrics": {metric.spec: code_of(metric.plugin.file) for metric in plan.metrics},
        "engine": code_of("core/maps", "core/covering", "core/overlap", "core/splits"),
    }


def gather(selection: Selection, plan: Plan) -> None:
    """Write ``scores.csv`` and ``predictions.csv`` from all cells that hold, streaming."""
    out = selection.layout.out
    _write_frames(out / "scores.csv", _score_frames(selection, plan), SCORE_COLUMNS)
    _write_frames(out / "predictions.csv", _prediction_frames(selection), list(Place._fields))


def _score_frames(selection: Selection, plan: Plan) -> Iterator[pd.DataFrame]:
    wanted = [metric.spec for metric in plan.metrics]
    for ledger in _ledgers(selection):
        for method in selection.methods:
            state = ledger.cell_state(method)
            if not state.scored:
                continue
            path = ledger.cell_folder(method) / "scores.csv"
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
            held = [spec for spec in wanted if spec in state.scored]
            frame = frame[frame["metric"].isin(held)]
            yield _with_keys(ledger, frame.assign(method=method.spec))[SCORE_COLUMNS]


def _prediction_frames(selection: Selection) -> Iterator[pd.DataFrame]:
    for ledger in _ledgers(selection):
        path = ledger.folder / "predictions.csv"
        if path.is_file():
            yield _with_keys(ledger, pd.read_csv(path, dtype=str, keep_default_na=False))


def _ledgers(selection: Selection) -> Iterator[Ledger]:
    for model in selection.models:
        for fold in selection.folds:
            for seed in selection.options.seeds:
                yield Ledger(selection, fold, model, seed)


def _with_keys(ledger: Ledger, frame: pd.DataFrame) -> pd.DataFrame:
    keys = pd.DataFrame([ledger.place] * len(frame), index=frame.index)
    return pd.concat([keys, frame], axis=1)


def _write_frames(path: Path, frames: Iterator[pd.DataFrame], columns: list[str]) -> None:
    def write(file: Any) -> None:
        first = True
        for frame in frames:
            frame.to_csv(file, index=False, header=first, lineterminator="\n")
            first = False
        if first:
            pd.DataFrame(columns=columns).to_csv(file, index=False)

    write_with(path, write)


def _save_split(selection: Selection, fold: int) -> tuple[str, str]:
    place = Ledger(selection, fold, selection.models[0], seed=0).place
    path = selection.layout.split_file(place)
    split: Split = selection.split(fold)
    rows = [
        (s.id, selection.dataset.classes[s.label], s.group, part, s.id in split.seen)
        for part in ("train", "validation", "test")
        for s in getattr(split, part)
    ]
    frame = pd.DataFrame(rows, columns=["sample", "class", "group", "part", "mask_seen"])
    write_with(path, lambda file: frame.to_csv(file, index=False))
    return path.name, checksum(path)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def load_scores(out: str | Path) -> pd.DataFrame:
    """Read a run's scores: one row for each cell, sample and metric.

    Args:
        out: the run's folder.

    Raises:
        XaibenchError: the folder holds no ``scores.csv``.
    """
    path = Path(out) / "scores.csv"
    if not path.is_file():
        raise XaibenchError(f"{path}: no such file; name the --out folder of a finished run.")
    return pd.read_csv(path, dtype={"sample": str, "status": str})
