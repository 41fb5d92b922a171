"""What was run, what failed, and where the numbers come from: facts of ``run.json`` as text."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from xaibench.core.markdown import markdown_table
from xaibench.report.wording.markdown import bullets
from xaibench.results.folder import ANALYSIS_FILE, CELL_FILE, Layout
from xaibench.results.integrity import as_json, read_record
from xaibench.results.records import RunRecord
from xaibench.results.stored_work import read_analysis
from xaibench.results.todays_names import todays_spec
from xaibench.results.work_records import CellRecord


class Fact(NamedTuple):
    """A line of what was run: one text, or several."""

    name: str
    texts: Sequence[str]


def facts(run: RunRecord) -> list[Fact]:
    """Return what was run, a line for each thing that ``run.json`` knows."""
    size = run.protocol.get("image_size")
    chosen = [name for name in run.methods if run.kind_of(name) != "control"]
    told: dict[str, Sequence[Any]] = {
        "dataset": [*run.all_datasets],
        "split": [run.protocol.get("split")],
        "classes": run.classes,
        "images at": [f"{size} by {size} pixels" if size else None],
        "images used at most": [run.options.get("limit") or None],
        "models": [*run.models],
        "weights": [run.options.get("weights")],
        "methods": chosen,
        "controls": [name for name in run.methods if name not in chosen],
        "metrics": [*run.metrics],
        "training seeds": run.seeds,
        "training masks seen": [_share(run.mask_fraction)],
        "made": [run.date or None],
        "by": [f"xaibench {run.xaibench}" if run.xaibench else None],
    }
    lines = [
        Fact(name, [str(text) for text in texts if text is not None])
        for name, texts in told.items()
    ]
    return [line for line in lines if line.texts]


def failures(run: RunRecord, out: Path) -> list[tuple[str, str]]:
    """Return what failed and why, from the cells and analyses that recorded an error."""
    found = []
    layout = Layout(out)
    for path in [*layout.records(ANALYSIS_FILE), *layout.records(CELL_FILE)]:
        name, error = _failure(path)
        if error and (name in run.methods or path.name == ANALYSIS_FILE):
            where = ", ".join(path.parent.relative_to(out).parts[1:-1])
            found.append((f"{name} in {where}", error))
    return found


def _failure(path: Path) -> tuple[str, str | None]:
    if path.name == ANALYSIS_FILE:
        analysis = read_analysis(path)
        return analysis.analysis, analysis.error
    cell = read_record(path, CellRecord) or CellRecord()
    return todays_spec("method", cell.method), None if cell.skipped else cell.error


def undefined(scores: pd.DataFrame) -> Iterator[str]:
    """Yield Markdown: how many values of each metric are undefined, and why."""
    if scores.empty:
        return
    empty = scores[pd.to_numeric(scores["value"]).isna()]
    if empty.empty:
        yield f"Every one of the {len(scores)} values is defined."
        return
    counts = pd.crosstab(empty["metric"].astype(str), empty["status"].astype(str))
    reasons = [str(reason) for reason in counts]
    all_values = scores.groupby("metric", sort=False, observed=True).size()
    rows = []
    for metric, own in all_values.items():
        found = [int(counts[reason].get(metric, 0)) for reason in reasons]
        rows.append([str(metric), str(own), str(sum(found)), *map(str, found)])
    yield (
        "Values of all maps, those of the controls among them. Undefined ones are divided by their "
        "status, which names a constant or non-finite map before an empty mask."
    )
    yield markdown_table(["metric", "values", "undefined", *reasons], rows)


def provenance(run: RunRecord) -> Iterator[str]:
    """Yield Markdown: protocol, files of the splits, sources, versions."""
    yield f"Protocol `{run.protocol_hash}`: runs that differ in it are never compared."
    plain = {
        key: value
        for key, value in run.protocol.items()
        if not isinstance(value, Mapping) and value not in ("", None)
    }
    yield from _pairs("setting", "value", plain)
    for dataset, about in run.all_datasets.items():
        yield from _pairs(f"split file of {dataset}", "sha256", about.splits)
    if sources := run.sources:
        yield "Put together from:"
        yield bullets([f"{source.name}: `{source.command}`" for source in sources])
    if submission := run.submission:
        yield from _pairs(
            "submission",
            "value",
            {name: text for name, text in as_json(submission).items() if name != "warnings"},
        )
    computed = {key: value for key, value in run.compute.items() if value is not None}
    yield from _pairs("computed on", "value", computed)
    yield from _pairs("software", "version", run.versions)


def _pairs(name: str, value: str, entries: Mapping[str, Any]) -> Iterator[str]:
    if entries:
        rows = [[key, str(text)] for key, text in entries.items()]
        yield markdown_table([name, value], rows)


def _share(fraction: float | None) -> str | None:
    return None if fraction is None else f"{100 * fraction:g} %"
