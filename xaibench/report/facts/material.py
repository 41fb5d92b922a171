"""What a run's folder holds for its report: ``run.json`` and the tables beside it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.reproducibility import nothing_measured
from xaibench.report.facts.soundness import check_numbers, check_together
from xaibench.report.facts.units import units_of_predictions, units_of_scores
from xaibench.report.facts.won import read_won
from xaibench.results.folder import (
    COSTS_FILE,
    PREDICTIONS_FILE,
    REPRODUCIBILITY_FILE,
    SCORES_FILE,
    Place,
)
from xaibench.results.records import RunRecord
from xaibench.results.seal import check_seal
from xaibench.results.stored_run import read_run
from xaibench.results.tables import COSTS, REPRODUCIBILITY, read_table, stored_table

_log = logging.getLogger(__name__)
PLACE = list(Place._fields)
UNIT = ["fold", "seed", "sample"]
_SCORES = [*PLACE, "method", "sample", "metric", "value", "status"]
_PREDICTIONS = [*PLACE, "sample", "label", "prediction"]


@dataclass(frozen=True)
class Material:
    """All that tables are made from; frames without rows where a file is absent.

    ``groups`` names the group of each (dataset, sample) that isn't alone. Where images may show
    several classes a sample is a unit (`facts/units.py`), and ``images`` are the predictions as
    they were stored, a row for each image.
    """

    run: RunRecord
    scores: pd.DataFrame
    predictions: pd.DataFrame
    costs: pd.DataFrame
    groups: Mapping[tuple[str, str], str]
    reproducibility: pd.DataFrame = field(default_factory=nothing_measured)
    images: pd.DataFrame | None = None

    @classmethod
    def of(
        cls,
        run: RunRecord,
        scores: pd.DataFrame,
        predictions: pd.DataFrame | None = None,
        costs: pd.DataFrame | None = None,
        groups: Mapping[tuple[str, str], str] | None = None,
    ) -> "Material":
        """Fill in what is absent; groups come from the predictions where they aren't given."""
        if predictions is None:
            predictions = pd.DataFrame(columns=_PREDICTIONS)
        if costs is None:
            costs = pd.DataFrame(columns=[*PLACE, "method", *COSTS])
        return cls(run, scores, predictions, costs, groups or _groups(predictions))


def read_material(out: Path, *, accept_changes: bool = False) -> Material:
    """Read a folder that `xaibench run`, `score` or `compare` wrote.

    Args:
        out: the folder.
        accept_changes: take files that were changed since the run, with a warning that names them.

    Raises:
        XaibenchError: the folder is no such one, holds no scores yet, damaged tables or links.
    """
    run = read_run(out)
    accepted = list(check_seal(out, accept_changes=accept_changes))
    scores = _read(out / SCORES_FILE, _SCORES, compact=True)
    if scores is None:
        raise XaibenchError(f"{out}: no scores.csv; finish the run first (the same command).")
    if scores.empty and run.methods:
        raise XaibenchError(f"{out}: no method has any score; see the errors in its cells.")
    predictions = _read(out / PREDICTIONS_FILE, _PREDICTIONS)
    costs = _read(out / COSTS_FILE, [*PLACE, "method"])
    images = predictions
    if run.several_labels:
        scores = units_of_scores(scores)
        if predictions is not None:
            predictions = units_of_predictions(predictions, run.classes)
    groups = None if predictions is not None and "group" in predictions else _split_groups(out, run)
    found = replace(Material.of(run, scores, predictions, costs, groups), images=images)
    alike = _read(out / REPRODUCIBILITY_FILE, REPRODUCIBILITY)
    if alike is not None:
        found = replace(found, reproducibility=alike)
    warnings = [
        *accepted,
        *run.warnings,
        *check_together(run, scores, found.predictions),
    ]
    for warning in warnings:
        _log.warning("%s", warning)
    if predictions is None:
        _log.warning("%s: no predictions.csv: no slices, and nothing on classification", out)
    return replace(found, run=replace(run, warnings=warnings, won=read_won(out, run)))


def _read(path: Path, columns: list[str], *, compact: bool = False) -> pd.DataFrame | None:
    path = stored_table(path)
    if not path.is_file():
        return None
    try:
        table = read_table(path, compact=compact)
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise XaibenchError(f"{path}: {error}; finish the run first (the same command).") from error
    if missing := [name for name in columns if name not in table]:
        raise XaibenchError(
            f"{path}: column {missing[0]} is missing; finish the run first (the same command)."
        )
    check_numbers(path.name, table)
    return table


def _groups(predictions: pd.DataFrame) -> dict[tuple[str, str], str]:
    if "group" not in predictions:
        return {}
    named = predictions[predictions["group"].fillna("") != ""]
    keys = zip(named["dataset"], named["sample"], strict=True)
    return dict(zip(keys, named["group"], strict=True))


def _split_groups(out: Path, run: RunRecord) -> dict[tuple[str, str], str]:
    """Read the groups from the split files, which have named them since the first version."""
    found: dict[tuple[str, str], str] = {}
    for path in sorted((out / "splits").glob("*.csv")):
        table = _read(path, ["sample", "group"])
        if table is not None:
            found |= _groups(table.assign(dataset=run.dataset))
    return found
