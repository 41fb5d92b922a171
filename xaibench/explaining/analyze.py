"""Analyses of a trained model: what it can serve, what is done, and the doing of the rest."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from xaibench.core.csv_cells import to_csv
from xaibench.core.errors import XaibenchError
from xaibench.core.findings import IMAGES, Findings
from xaibench.core.fingerprints import checksum, code_of, fingerprint
from xaibench.core.model import Model, evaluating
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind
from xaibench.core.spec import as_text
from xaibench.core.store import write_with
from xaibench.explaining.failures import PluginError, blaming
from xaibench.explaining.observations import Observations, weights_of
from xaibench.explaining.trial import try_analysis
from xaibench.results.folder import ANALYSIS_FILE, RUN_FILE, pixels_file
from xaibench.results.integrity import are_intact, intact_record, write_record
from xaibench.results.records import SCHEMA, RunRecord
from xaibench.results.work_records import AnalysisRecord
from xaibench.setup.cells import Ledger
from xaibench.setup.earlier import renew_analysis
from xaibench.setup.made_from import files_of
from xaibench.setup.option_values import flag
from xaibench.setup.options import TRAINING
from xaibench.setup.selection import Selection

_log = logging.getLogger(__name__)
# What an analysis asks for, and the word of a model that serves it.
_SERVED_BY = {
    "errors": "reconstruction",
    "train_errors": "reconstruction",
    "restore": "reconstruction",
    "pixel_confusion": "class_maps",
    "segment": "class_maps",
}
_EMBEDDINGS = frozenset({"embeddings", "train_embeddings"})
_CODE = ("explaining/analyze", "explaining/observations")
# What a folder's trained models, and who is tested, hang on.
_SHARED = (
    "dataset", "split", "groups", "split_seed", "limit", "train_fraction", "mask_fraction",
    "weights", *TRAINING,
)  # fmt: skip


def why_no_analysis(selection: Selection, prototype: Model, analysis: Bound) -> str | None:
    """Return why a model of this kind can't serve an analysis, None if it can.

    Raises:
        XaibenchError: one of the analysis' options is wrong.
    """
    words = set(analysis.plugin.signature.words)
    if selection.dataset.several_labels:
        return "it needs one label an image, and here an image may show several classes"
    if "pixel_confusion" in words and not selection.dataset.annotated:
        return f"{selection.dataset_spec} has no masks"
    needed = {_SERVED_BY[word] for word in words & set(_SERVED_BY)}
    if missing := sorted(needed - prototype.abilities):
        return f"it has no {missing[0]}"
    try:
        size = _embedding_size(prototype, selection) if _EMBEDDINGS & words else 0
    except XaibenchError as error:
        return str(error)
    training = min(len(selection.split(fold).train) for fold in selection.folds)
    try_analysis(analysis, selection.dataset.classes, training, size)
    return None


def _embedding_size(prototype: Model, selection: Selection) -> int:
    with torch.inference_mode(), evaluating(prototype):
        return prototype.embed(selection.blank).shape[1]


def check_same_run(selection: Selection) -> None:
    """Refuse to train anew what a run in the same folder has trained otherwise.

    Raises:
        XaibenchError: an option differs from that run's.
    """
    out, mine = selection.layout.out, selection.options.as_dict()
    stored = intact_record(out / RUN_FILE, RunRecord)
    theirs = stored.options if stored else {}
    for name in (name for name in _SHARED if name in theirs):
        here, there = (
            as_text(tuple(v) if isinstance(v, list) else v).replace("+", ",")
            for v in (mine[name], theirs[name])
        )
        if here != there:
            raise XaibenchError(
                f"{flag(name)} {here}: the run in {out} has {there or 'none'}; give its options, "
                "or another --out."
            )


def is_analyzed(ledger: Ledger, analysis: Bound) -> bool:
    """Whether the stored analysis is whole and made from the same."""
    _, known = analysis_record(ledger, analysis)
    same = known.fingerprint == _fingerprint(ledger, analysis)
    return same and are_intact(_folder(ledger, analysis), known.files)


def analysis_failure(ledger: Ledger, analysis: Bound) -> str | None:
    """Why an analysis failed, if it would fail again."""
    _, known = analysis_record(ledger, analysis)
    return known.error if known.failed == _fingerprint(ledger, analysis) else None


def analysis_record(ledger: Ledger, analysis: Bound) -> tuple[Path, AnalysisRecord]:
    """Return where an analysis' record lies, and what it says; empty where there is none."""
    path = _folder(ledger, analysis) / ANALYSIS_FILE
    known = intact_record(path, AnalysisRecord) or AnalysisRecord()
    return path, renew_analysis(ledger, analysis, known, _fingerprint(ledger, analysis))


def analyze(ledger: Ledger, model: Model, specs: Sequence[str]) -> dict[str, str]:
    """Do analyses of a trained model; return the errors of those that failed, by analysis."""
    observations, failed = Observations(ledger, model), {}
    for analysis in (bind("analysis", spec) for spec in specs):
        if is_analyzed(ledger, analysis):  # by another run meanwhile
            continue
        _log.info("analyze %s: %s", ledger.title, analysis.spec)
        try:
            with blaming(f"analysis {analysis.spec}"):
                _write(ledger, analysis, analysis(observations), observations)
        except PluginError as error:
            reason = str(error)
            _log.error("%s of %s failed: %s", analysis.spec, ledger.title, reason)
            _log.debug("traceback of %s", analysis.spec, exc_info=True)
            failed[analysis.spec] = reason
            record = AnalysisRecord(
                schema=SCHEMA,
                analysis=analysis.spec,
                error=reason,
                failed=_fingerprint(ledger, analysis),
            )
            write_record(_folder(ledger, analysis) / ANALYSIS_FILE, record)
    return failed


def _write(ledger: Ledger, analysis: Bound, found: Findings, observations: Observations) -> None:
    """Write all tables, then say so in ``analysis.json``: what the report reads."""
    folder = _folder(ledger, analysis)
    parts = {k: np.asarray(v) for k, v in found.quantities.items() if np.ndim(v)}
    tables = {**found.tables, IMAGES: _images(observations, {**found.images, **parts})}
    for name, table in tables.items():
        _write_table(folder / f"{name}.csv", table)
    for name, pixels in found.pixels.items():
        write_with(folder / pixels_file(name), partial(_sheet(pixels).save, format="png"))
    files = [*(f"{name}.csv" for name in tables), *map(pixels_file, found.pixels)]
    record = AnalysisRecord(
        schema=SCHEMA,
        analysis=analysis.spec,
        **ledger.place._asdict(),
        model_sha256=weights_of(ledger)[1],
        fingerprint=_fingerprint(ledger, analysis),
        files={name: checksum(folder / name) for name in files},
        classes=observations.class_names,
        quantities=list(found.quantities),
        # The others are means of the images' columns of their names.
        numbers={k: _number(v) for k, v in found.quantities.items() if k not in parts},
        meanings=analysis.plugin.traits.quantities,
        bounds=analysis.plugin.traits.bounds,
        paper=analysis.plugin.paper,
        pairs=found.pairs,
        figures=found.figures,
        notes=found.notes,
    )
    write_record(folder / ANALYSIS_FILE, record)


def _images(observations: Observations, columns: dict[str, NDArray[np.generic]]) -> pd.DataFrame:
    names = np.array(observations.class_names)
    return pd.DataFrame(
        {
            "sample": observations.samples,
            "group": observations.groups,
            "class": names[observations.labels],
            **columns,
        }
    )


def _write_table(path: Path, table: pd.DataFrame) -> None:
    write_with(path, lambda file: to_csv(table, file, lineterminator="\n"))


def _sheet(pixels: NDArray[np.uint8]) -> Image.Image:
    """Join pictures ``(rows, columns, H, W, 3)`` to one."""
    rows, columns, height, width, _ = pixels.shape
    joined = pixels.swapaxes(1, 2).reshape(rows * height, columns * width, -1)
    return Image.fromarray(joined)


def _number(value: object) -> float | None:
    """Return what JSON can hold, None for NaN."""
    number = float(np.asarray(value, float))
    return number if np.isfinite(number) else None


def _folder(ledger: Ledger, analysis: Bound) -> Path:
    return ledger.selection.layout.analysis_folder(ledger.place, analysis.spec)


def _fingerprint(ledger: Ledger, analysis: Bound) -> str:
    code = code_of(analysis.plugin.file, *_CODE)
    return fingerprint(*weights_of(ledger), analysis.first_spec, files_of(analysis), code)
