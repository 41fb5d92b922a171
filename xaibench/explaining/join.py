"""From parts to a cell: their scores in one file, pooled metrics, and ``cell.json`` last."""

import csv
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xaibench.core.csv_cells import to_cells
from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import checksum
from xaibench.core.plugin import Bound
from xaibench.core.store import replacing
from xaibench.explaining.parts import (
    COLUMNS,
    PartState,
    failure_of,
    parts_folder,
    rows_of,
    tuned_for,
)
from xaibench.explaining.score import pool_scores
from xaibench.explaining.tuned import Tuned
from xaibench.results.folder import CELL_FILE, SCORES_FILE
from xaibench.results.integrity import write_record
from xaibench.results.records import SCHEMA
from xaibench.results.tables import COSTS, GAP
from xaibench.results.work_records import CellRecord, FailedMetric
from xaibench.setup.cells import CellState, Ledger
from xaibench.setup.jobs import Part
from xaibench.setup.provenance import each_once, made_by

_MEGABYTE = 1e6


class UnfinishedError(XaibenchError):
    """A part is missing that was there: another run with other options has replaced it."""


def join(
    ledger: Ledger, method: Bound, metrics: Sequence[Bound], parts: Sequence[Part]
) -> dict[str, str]:
    """Make a cell of its parts; return what failed, by method or metric.

    Raises:
        UnfinishedError: a part isn't there.
        StorageError: the disk is full.
    """
    state = ledger.cell_state(method)
    missing = state.missing_metrics(metrics)
    if missing:
        _join(state, missing, [PartState(state, part) for part in parts])
        state = ledger.cell_state(method)
    return state.failures(metrics)


def _join(state: CellState, metrics: Sequence[Bound], parts: Sequence[PartState]) -> None:
    if failure := _failure(state, metrics, parts):
        note = failure_of(state)
        known = note.known
        skips = known is not None and known.skips
        if known is None:  # nothing but NaN: tried again, all is made anew
            shutil.rmtree(parts_folder(state.ledger, state.method), ignore_errors=True)
        now = made_by(state.ledger.selection, state.method)
        record = replace(
            state.known,
            schema=SCHEMA,
            method=state.method.spec,
            made_by=each_once([*state.known.made_by, now]),
            error=failure,
            failed=state.maps_fingerprint,
            skipped=skips or None,
        )
        write_record(_folder(state) / CELL_FILE, record)
        note.forget()  # the cell's record says it from now on
        return
    failed = {spec: error for part in parts for spec, error in part.known.failed_metrics.items()}
    done = [metric for metric in metrics if metric.spec not in failed]
    folder = _folder(state)
    with replacing(folder / SCORES_FILE) as path:
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            table.writerows(_rows(state, done, parts))
        record = _record(state, done, parts, path, failed)
        if state.scored:  # the scores that hold must not be lost between the two files
            write_record(folder / CELL_FILE, replace(state.known, next=record))
    write_record(folder / CELL_FILE, record)


def _failure(state: CellState, metrics: Sequence[Bound], parts: Sequence[PartState]) -> str | None:
    """Return why the method failed; None if it didn't."""
    found = failure_of(state).content
    if found is not None:
        return str(found)
    for part in parts:
        if not part.holds(metrics):
            raise UnfinishedError(
                f"{state.method.spec} on {state.ledger.title}: part {part.part.name} is missing; "
                "another run in this folder has replaced it: give each its own --out, or repeat "
                "the command."
            )
    images = sum(part.known.images for part in parts)
    if images and images == sum(part.known.non_finite for part in parts):
        return f"method {state.method.spec} returned nothing but NaN or infinity."
    return None


def _rows(
    state: CellState, metrics: Sequence[Bound], parts: Sequence[PartState]
) -> Iterator[Sequence[object]]:
    if state.scored:
        yield from rows_of(_folder(state) / SCORES_FILE, sorted(state.scored))
    specs = [metric.spec for metric in metrics]
    for part in parts:
        yield from part.rows(specs)
    for metric in metrics:
        if metric.plugin.traits.pool:
            pooled = pool_scores(metric, (part.waiting(metric.spec) for part in parts))
            yield from map(to_cells, pooled)


def _record(
    state: CellState,
    done: Sequence[Bound],
    parts: Sequence[PartState],
    scores: Path,
    failed: Mapping[str, str],
) -> CellRecord:
    ledger, method = state.ledger, state.method
    chosen = ledger.selection.metrics
    made_from = {metric.spec: ledger.score_fingerprint(method, metric) for metric in chosen}
    tuned = tuned_for(state)
    if tuned is None and state.fits and state.known.tuned_threshold is not None:
        # For metrics that are there.
        tuned = Tuned(state.known.tuned_threshold, state.known.tuned_by_class)
    fresh = not state.has_maps
    scored = {*state.scored, *(metric.spec for metric in done)}
    before = {spec: state.known.failed_metrics[spec] for spec in state.failed_metrics}
    now = {spec: FailedMetric(error, made_from[spec]) for spec, error in failed.items()}
    made = [each for part in parts for each in part.known.made_by]
    record = CellRecord(
        schema=SCHEMA,
        method=method.spec,
        maps=state.maps_fingerprint,
        made_from=ledger.maps_parts(method),
        made_by=each_once([*(() if fresh else state.known.made_by), *made]),
        files=_files(parts) if fresh else state.known.files,
        scores_sha256=checksum(scores),
        metrics={spec: made for spec, made in made_from.items() if spec in scored},
        failed_metrics=before | now,
        **(tuned.entries if tuned else {}),
    )
    return replace(record, **(_costs(parts) if fresh else state.known.costs))


def _files(parts: Sequence[PartState]) -> dict[str, str]:
    return {name: sha for part in parts for name, sha in part.known.files.items()}


def _costs(parts: Sequence[PartState]) -> dict[str, Any]:
    spent = [part.known.costs for part in parts if part.known.costs]
    images = sum(part.known.images for part in parts if part.known.costs)
    if not images:
        return dict.fromkeys((*COSTS, GAP))
    seconds = sum(each.seconds for each in spent) / images
    passes = sum(each.passes for each in spent) / images
    peaks = [each.peak for each in spent if each.peak is not None]
    peak = round(max(peaks) / _MEGABYTE) if peaks else None
    gap = max((each.gap for each in spent if each.gap is not None), default=None)
    return dict(zip((*COSTS, GAP), (seconds, passes, peak, gap), strict=True))


def _folder(state: CellState) -> Path:
    return state.ledger.cell_folder(state.method)
