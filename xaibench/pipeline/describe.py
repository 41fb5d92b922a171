"""``run.json`` and the split files: what a reader needs to repeat a run and to trust it."""

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from math import isinf
from pathlib import Path
from typing import Any

import torch

from xaibench import __version__
from xaibench.core.definition import define
from xaibench.core.fingerprints import checksum, code_of, fingerprint
from xaibench.core.passes.device import choose_device
from xaibench.core.plugin import Bound
from xaibench.core.supervision import Supervision, of_record, strongest
from xaibench.pipeline.cells import Ledger, ledgers_of
from xaibench.pipeline.options import RunOptions
from xaibench.pipeline.plan import Plan
from xaibench.pipeline.selection import Selection
from xaibench.results.folder import MODEL_FILE
from xaibench.results.integrity import read_record
from xaibench.results.records import SCHEMA
from xaibench.results.splits import write_split

_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "scikit-image", "pillow")


def describe_run(
    selection: Selection, plan: Plan, command: str, splits: dict[str, str]
) -> dict[str, Any]:
    """Return what ``run.json`` says: enough to repeat the run and to read its tables."""
    options = selection.options
    protocol = describe_protocol(selection, plan)
    return {
        "schema": SCHEMA,
        "xaibench": __version__,
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
        "models": {
            m.spec: {"paper": m.plugin.paper, **selection.about(m)._asdict()}
            for m in selection.models
        },
        "supervision": recorded_supervision(selection),
        "methods": {m.spec: _describe_method(m) for m in selection.methods},
        "metrics": {
            m.spec: {
                "higher_is_better": m.higher_is_better,
                "family": m.plugin.traits.family,
                "bounds": [None if isinf(bound) else bound for bound in m.plugin.traits.bounds],
                "target": selection.target_of(m),
                "estimand": "pooled" if m.plugin.traits.pool else "per image",
                "ranked": m.plugin.traits.ranked,
                "definition": define(m, selection.target_of(m)),
                "paper": m.plugin.paper,
            }
            for m in plan.metrics
        },
        "skipped": [asdict(skip) for skip in plan.skips],
        "warnings": plan.warnings,
        "compute": describe_compute(options),
        "versions": _versions(),
    }


def recorded_supervision(selection: Selection) -> dict[str, dict[str, Any] | None]:
    """Return what each trained model has learned from, in any fold; None where nobody says it."""
    found: dict[str, Supervision | None] = {}
    for ledger in ledgers_of(selection):
        record = read_record(ledger.folder / MODEL_FILE)
        if "supervision" in record:
            spec = ledger.model.spec
            found[spec] = strongest(found.get(spec), of_record(record["supervision"]))
    return {spec: each.as_record() if each else None for spec, each in found.items()}


def _describe_method(method: Bound) -> dict[str, Any]:
    traits = asdict(method.plugin.traits)
    if traits["supervision"] is None:
        del traits["supervision"]
    return {**traits, "paper": method.plugin.paper}


def describe_compute(options: RunOptions) -> dict[str, Any]:
    """Return what the last digits hang on: the device, and on the CPU its number of threads."""
    device = choose_device(options.device)
    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else processor(),
        "cuda": torch.version.cuda if cuda else None,
        "cores": os.cpu_count(),
        "threads": threads_of(options),
    }


def processor() -> str:
    """Return what the processor calls itself; Python knows it only outside of Linux."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine() or "cpu"


def threads_of(options: RunOptions) -> int:
    """Return the CPU threads of each worker."""
    return options.threads or torch.get_num_threads()


def describe_protocol(selection: Selection, plan: Plan) -> dict[str, Any]:
    """Return what decides about a number beside model and method; runs that differ don't mix."""
    options = selection.options
    return {
        "split": selection.split_name,
        "split_seed": options.split_seed,
        "groups": checksum(Path(options.groups)),
        "mask_fraction": options.mask_fraction,
        "train_fraction": options.train_fraction,
        "image_size": options.image_size,
        "limit": options.limit,
        "layer": options.layer,
        "judge": _judge(selection),
        "precision": options.precision,
        "fold": options.fold,
        "resize": f"bilinear, align_corners=False; masks {options.mask_resize}",
        "targets": {metric.spec: selection.target_of(metric) for metric in plan.metrics},
        "metrics": {metric.spec: code_of(metric.plugin.file) for metric in plan.metrics},
        "engine": code_of(
            "core/maps", "core/covering", "core/overlap", "core/pooling", "core/splits"
        ),
    }


def _judge(selection: Selection) -> str:
    """Return who judges the maps of models that don't classify; empty where none has to."""
    needed = not all(selection.about(model).classifies for model in selection.models)
    return selection.judge.spec if needed and selection.judge else ""


def save_split(selection: Selection, fold: int) -> tuple[str, str]:
    """Write who stands in which part; return the file's name and checksum."""
    place = Ledger(selection, fold, selection.models[0], seed=0).place
    path = selection.layout.split_file(place)
    write_split(path, selection.split(fold), selection.dataset.classes)
    return path.name, checksum(path)


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _versions() -> dict[str, str]:
    here = {"python": platform.python_version(), "platform": platform.platform()}
    return here | versions_of(_PACKAGES)
