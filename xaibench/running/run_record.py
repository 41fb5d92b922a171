"""``run.json`` and the split files: what a reader needs to repeat a run and to trust it."""

from collections.abc import Iterator, Mapping
from math import isinf
from pathlib import Path
from typing import Any

from xaibench.core.definition import define
from xaibench.core.fingerprints import checksum, code_of, fingerprint
from xaibench.core.plugin import Bound, MethodTraits
from xaibench.core.supervision import Supervision, declare, strongest
from xaibench.results.records import (
    SCHEMA,
    Made,
    MethodEntry,
    MetricEntry,
    ModelEntry,
    RunRecord,
    Skip,
)
from xaibench.results.splits import write_split
from xaibench.results.stored_work import stored_model
from xaibench.results.work_records import UNSAID
from xaibench.running.plan import Plan, skips_of
from xaibench.setup.cells import Ledger, ledgers_of
from xaibench.setup.primary import usual_primary
from xaibench.setup.provenance import combine, each_once, made_by, mixed_versions
from xaibench.setup.selection import Selection


def describe_run(
    selection: Selection,
    plan: Plan,
    splits: Mapping[str, str],
    suite: Mapping[str, str] | None = None,
) -> RunRecord:
    """Return what ``run.json`` says: enough to repeat the run and to read its tables.

    Versions, date and device are those of the models and cells that are there, not of this call.
    """
    options, made = selection.options, gather_made(selection)
    versions = combine([each.versions for each in made])
    protocol = describe_protocol(selection, plan)
    return RunRecord(
        schema=SCHEMA,
        xaibench=versions.pop("xaibench"),
        command=selection.command,
        date=made[-1].date,
        options=options.as_dict(),
        dataset=selection.dataset_spec,
        classes=selection.dataset.classes,
        seeds=options.seeds,
        mask_fraction=options.mask_fraction if selection.dataset.annotated else 0.0,
        protocol=protocol,
        protocol_hash=fingerprint(protocol),
        splits=splits,
        suite=suite or None,
        models={
            m.spec: ModelEntry(paper=m.plugin.paper, **selection.about(m)._asdict())
            for m in selection.models
        },
        supervision=recorded_supervision(selection),
        methods={m.spec: _describe_method(selection, m) for m in selection.methods},
        metrics={m.spec: _describe_metric(selection, m) for m in plan.metrics},
        skipped=list(dict.fromkeys([*plan.skips, *_gather_skips(selection)])),
        warnings=[*selection.dataset.notes, *plan.warnings, *mixed_versions(made)],
        compute=combine([each.compute for each in made]),
        versions=versions,
        made_by=made,
        several_labels=selection.dataset.several_labels or None,
    )


def recorded_supervision(selection: Selection) -> dict[str, Supervision | None]:
    """Return what each trained model has learned from, in any fold; None where nobody says it."""
    found: dict[str, Supervision | None] = {}
    for ledger in ledgers_of(selection):
        if said := stored_model(ledger.folder).supervision:
            spec = ledger.model.spec
            found[spec] = strongest(found.get(spec), None if said == UNSAID else said)
    return found


def _describe_method(selection: Selection, method: Bound) -> MethodEntry:
    traits: MethodTraits = method.plugin.traits
    options = method.spec.removeprefix(method.plugin.name)
    return MethodEntry(
        family=traits.family,
        sign=traits.sign,
        rescale=traits.rescale,
        blind=traits.blind,
        supervision=traits.supervision,
        paper=method.plugin.paper,
        title=traits.title and traits.title + options,
        learned=_learned(selection, method),
    )


def _learned(selection: Selection, method: Bound) -> Supervision | None:
    """Return what a method takes from the training images; None where it asks for no annotation."""
    asked = method.plugin.asked
    if "training_masks" in asked:
        seen = [s for fold in selection.folds for s in selection.split(fold).seen_in(
            selection.split(fold).train)]  # fmt: skip
        kind = "masks" if any(sample.masks for sample in seen) else "boxes"
        return declare("method", kind, selection.options.mask_fraction) if seen else None
    return Supervision("labels") if "training_labels" in asked else None


def _describe_metric(selection: Selection, metric: Bound) -> MetricEntry:
    traits, target = metric.plugin.traits, selection.target_of(metric)
    low, high = (None if isinf(bound) else bound for bound in traits.bounds)
    return MetricEntry(
        higher_is_better=metric.higher_is_better,
        family=traits.family,
        bounds=(low, high),
        target=target,
        estimand="pooled" if traits.pool else "per image",
        ranked=traits.ranked,
        definition=define(metric, target),
        paper=metric.plugin.paper,
        title=traits.title or None,
    )


def gather_made(selection: Selection) -> list[Made]:
    """Return who made the models and cells that are there, each once; without any, this process."""
    made: list[Made] = []
    for ledger in ledgers_of(selection):
        if ledger.model_is_trained():
            made += ledger.known.made_by
        for method in selection.methods:
            state = ledger.cell_state(method)
            made += state.known.made_by if state.fits else []
    return each_once(made) or [made_by(selection)]


def _gather_skips(selection: Selection) -> Iterator[Skip]:
    """Yield what methods have said they can't explain."""
    for ledger in ledgers_of(selection):
        if ledger.model_is_trained():
            yield from skips_of(ledger, [ledger.cell_state(m) for m in selection.methods])


def describe_protocol(selection: Selection, plan: Plan) -> dict[str, Any]:
    """Return what decides about a number beside model and method; runs that differ don't mix."""
    options = selection.options
    return {
        **({"test_dataset": options.test_dataset} if options.test_dataset else {}),
        "split": selection.split_name,
        "split_seed": options.split_seed,
        "groups": checksum(Path(options.groups)),
        "mask_fraction": options.mask_fraction,
        "train_fraction": options.train_fraction,
        "image_size": options.image_size,
        **_redrawn(selection),
        "limit": options.limit,
        "layer": options.layer,
        "primary": selection.primary or usual_primary(plan.metrics),
        **({"margin": options.margin} if options.margin else {}),
        "judge": _judge(selection),
        "precision": options.precision,
        **_train_precision(selection),
        "fold": options.fold,
        "resize": f"bilinear, align_corners=False; masks {options.mask_resize}"
        + ("; scored at the original size" if options.score_at == "original" else ""),
        **_of_several(selection),
        "targets": {metric.first_spec: selection.target_of(metric) for metric in plan.metrics},
        "metrics": {metric.first_spec: code_of(metric.plugin.file) for metric in plan.metrics},
        "engine": code_of(
            "core/maps", "core/covering", "core/overlap", "core/pooling", "core/splits"
        ),
    }


def _redrawn(selection: Selection) -> dict[str, str]:
    """Say that seeds draw anew, where there is anything to draw."""
    options = selection.options
    drawn = options.redraw and min(options.mask_fraction, options.train_fraction) < 1
    what = "training subset and visible masks are drawn anew for each training seed"
    return {"redraw": what} if drawn else {}


def _of_several(selection: Selection) -> dict[str, str]:
    """Say which classes are explained, and what counts as found, where images may show several."""
    options = selection.options
    if not selection.dataset.several_labels:
        return {}
    return {"target": options.target, "label_threshold": options.label_threshold}


def _train_precision(selection: Selection) -> dict[str, str]:
    """Name the precision of training where it was asked for, and not left to the device."""
    asked = selection.options.train_precision
    return {} if asked == "auto" else {"train_precision": asked}


def _judge(selection: Selection) -> str:
    """Return who judges the maps of models that don't classify; empty where none has to."""
    needed = not all(selection.about(model).classifies for model in selection.models)
    return selection.judge.first_spec if needed and selection.judge else ""


def save_split(selection: Selection, fold: int) -> tuple[str, str]:
    """Write which sample is in which part; return the file's name and checksum."""
    place = Ledger(selection, fold, selection.models[0], seed=0).place
    path = selection.layout.split_file(place)
    write_split(path, selection.split(fold), selection.dataset.classes)
    return path.name, checksum(path)
