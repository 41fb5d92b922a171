"""Several runs as one board, where their numbers mean the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from xaibench.core.csv_cells import to_csv
from xaibench.core.errors import XaibenchError
from xaibench.core.files import real_path
from xaibench.core.fingerprints import fingerprint
from xaibench.core.store import write_with
from xaibench.report.facts.comparable import (
    BY_METRIC,
    check_comparable,
    common_metrics,
)
from xaibench.report.facts.material import PLACE, Material, read_material
from xaibench.report.facts.reproducibility import of_single_runs
from xaibench.report.judging.chapter import Contents, judge_all
from xaibench.report.write import illustrate, write_tables
from xaibench.results.folder import RUN_FILE
from xaibench.results.integrity import read_record, write_record
from xaibench.results.records import SCHEMA, DatasetEntry, RunRecord
from xaibench.results.seal import seal
from xaibench.results.sources import Source

_CELL = [*PLACE, "method"]


def merge_runs(folders: Sequence[Path], command: str) -> Material:
    """Read folders of one protocol, and put their rows together.

    Metrics that only some of them have are left out, and said to be. A cell that two of them hold
    is kept once where its scores are the same.

    Args:
        folders: of `xaibench run`, `score` or `compare`.
        command: how to repeat this.

    Raises:
        XaibenchError: what differs, by its name, with both values.
    """
    if len(folders) < 2 or len({real_path(folder) for folder in folders}) < len(folders):  # noqa: PLR2004
        raise XaibenchError("compare takes two folders or more, each once.")
    found = {str(folder): read_material(folder) for folder in folders}
    check_comparable(found)
    run = _describe({name: material.run for name, material in found.items()}, command)
    wanted = run.metrics
    scores = {name: m.scores[m.scores["metric"].isin(wanted)] for name, m in found.items()}
    merged = Material.of(
        run,
        _once(scores, [*_CELL, "sample", "metric"], "value"),
        _once({name: m.predictions for name, m in found.items()}, [*PLACE, "sample"]),
        _once({name: m.costs for name, m in found.items()}, _CELL),
        {key: group for m in found.values() for key, group in m.groups.items()},
    )
    return replace(
        merged, reproducibility=of_single_runs(m.reproducibility for m in found.values())
    )


def write_merged(material: Material, out: Path) -> Contents:
    """Write tables and page, then the rows and ``run.json``, to be reported and compared again.

    Nothing is written where the tables can't be made.

    Returns:
        What they say, in numbers.

    Raises:
        XaibenchError: a run of its own lies there.
    """
    there = read_record(out / RUN_FILE, RunRecord)
    if there and there.sources is None:
        raise XaibenchError(f"--out {out}: a run lies there; choose another folder.")
    contents = judge_all(material, out)
    write_tables(contents, out)
    predictions = material.predictions
    named = [
        material.groups.get(key, "")
        for key in zip(predictions["dataset"], predictions["sample"], strict=True)
    ]
    tables = {
        "scores": material.scores,
        "predictions": predictions.assign(group=named),
        "costs": material.costs,
    }
    if len(material.reproducibility):
        tables["reproducibility"] = material.reproducibility
    for name, table in tables.items():
        write_with(out / f"{name}.csv", partial(to_csv, table))
    write_record(out / RUN_FILE, material.run)
    seal(out, [out / f"{name}.csv" for name in tables])
    illustrate(contents, out)
    return contents


def _once(frames: Mapping[str, pd.DataFrame], keys: list[str], same: str = "") -> pd.DataFrame:
    """Concatenate tables, one line for each key; the column ``same`` mustn't contradict itself.

    Raises:
        XaibenchError: two runs hold different values for a key.
    """
    told = [frame.assign(_run=name) for name, frame in frames.items() if len(frame)]
    if not told:
        return next(iter(frames.values()))
    table = pd.concat(told, ignore_index=True)
    first = table.drop_duplicates(keys)
    again = table[table.duplicated(keys)]
    if same and len(again):
        both = again.merge(first, on=keys, suffixes=("", "_first"))
        one, other = both[f"{same}_first"], both[same]
        apart = both[(one != other) & ~(one.isna() & other.isna())]
        if len(apart):
            _refuse(apart.iloc[0], same, len(apart))
    return first.drop(columns="_run")


def _refuse(row: "pd.Series[Any]", column: str, count: int) -> None:
    where = f"{row['dataset']}, {row['split']}, fold {row['fold']}, seed {row['seed']}"
    raise XaibenchError(
        f"{row['_run_first']} and {row['_run']} both hold {row['method']} on {row['model']} "
        f"({where}), but {count} scores differ: {row['metric']} of {row['sample']} is "
        f"{row[f'{column}_first']:.6g} against {row[column]:.6g}. The maps are others: train one "
        "run with other --seeds, or leave the method out of one."
    )


def _describe(runs: Mapping[str, RunRecord], command: str) -> RunRecord:
    """Return a ``run.json`` for all; ``sources`` says which runs they were."""
    all_runs = list(runs.values())
    metrics, first = common_metrics(all_runs), all_runs[0]
    protocol = dict(first.protocol)
    for key in BY_METRIC:
        protocol[key] = {metric: first.protocol[key][metric] for metric in metrics}
    datasets: dict[str, DatasetEntry] = {}
    for run in all_runs:
        for name, about in run.all_datasets.items():
            held = datasets.get(name, about)
            datasets[name] = replace(
                held,
                splits={**held.splits, **about.splits},
                recipes={**held.recipes, **about.recipes},
                supervision={**held.supervision, **about.supervision},
            )
    own = next(iter(datasets.values()))
    return RunRecord(
        schema=SCHEMA,
        xaibench=" and ".join(_versions(all_runs)),
        command=command,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        sources=[source for name, run in runs.items() for source in _sources(name, run)],
        dataset=", ".join(datasets),
        datasets=datasets,
        classes=own.classes,
        mask_fraction=own.mask_fraction,
        splits=own.splits,
        supervision=own.supervision,
        seeds=sorted({seed for run in all_runs for seed in run.seeds}),
        protocol=protocol,
        protocol_hash=fingerprint(protocol),
        models={name: about for run in all_runs for name, about in run.models.items()},
        methods={name: about for run in all_runs for name, about in run.methods.items()},
        metrics={metric: first.metrics[metric] for metric in metrics},
        skipped=[skip for run in all_runs for skip in run.skipped],
        warnings=[*_notes(runs, metrics), *_warnings(runs)],
    )


def _sources(name: str, run: RunRecord) -> Sequence[Source]:
    if run.sources is not None:
        return run.sources
    return [
        Source(
            name=name,
            command=run.command,
            date=run.date,
            xaibench=run.xaibench,
            protocol_hash=run.protocol_hash,
            dataset=run.dataset,
            seeds=run.seeds,
            submission=run.submission,
        )
    ]


def _notes(runs: Mapping[str, RunRecord], metrics: Sequence[str]) -> Iterator[str]:
    """Say what was left out, and what differs without harm."""
    for name, run in runs.items():
        if alone := [metric for metric in run.metrics if metric not in metrics]:
            yield f"left out, as not all runs have them: {', '.join(alone)} (of {name})"
    if len(versions := _versions(list(runs.values()))) > 1:
        yield f"the runs were made by xaibench {' and '.join(versions)}"


def _warnings(runs: Mapping[str, RunRecord]) -> Iterator[str]:
    for name, run in runs.items():
        for text in run.all_warnings:
            yield text if run.sources is not None else f"{name}: {text}"


def _versions(runs: Sequence[RunRecord]) -> list[str]:
    return sorted({run.xaibench or "unknown" for run in runs})
