"""What raw maps take on the disk: at most, before a run; really, after it."""

import shutil
from contextlib import suppress
from pathlib import Path

from rich.filesize import decimal

from xaibench.core.plugin import Bound
from xaibench.core.registry import bind
from xaibench.core.store import files_below
from xaibench.results.folder import ANY_MAPS
from xaibench.running.plan import Plan
from xaibench.setup.cells import Ledger
from xaibench.setup.selection import Selection
from xaibench.setup.several import ALL

_FLOAT = 4
_ENTRY = 256  # bytes that an archive spends on a map beside its numbers, and twice its name
_SHRUNK = 8  # what is drawn from masks alone is that much smaller, at least, once compressed
_MASKS = frozenset({"masks", "mean_mask"})


def describe_maps(selection: Selection, plan: Plan) -> list[str]:
    """Return a line on what the plan's raw maps take on the disk, if it makes any that are kept."""
    most = most_bytes(selection, plan)
    if not most:
        return []
    out = selection.layout.out.absolute()
    free = shutil.disk_usage(next(path for path in (out, *out.parents) if path.is_dir())).free
    scarce = f", where {decimal(free)} are free" if free < most else ""
    return [f"raw maps: at most {decimal(most)} on disk{scarce} (--no-keep-maps keeps none)"]


def most_bytes(selection: Selection, plan: Plan) -> int:
    """Return how many bytes of raw maps a plan adds at most; 0 where none are kept.

    Where both classes are explained, an image whose label isn't predicted has two maps: no more
    images than a guess gets wrong.
    """
    if not selection.options.keep_maps:
        return 0
    total = 0.0
    for job in plan.jobs:
        model, test = selection.model(job.model), selection.split(job.fold).test
        ledger = Ledger(selection, job.fold, model, job.seed)
        methods = [bind("method", spec) for spec in job.methods]
        new = [method for method in methods if not ledger.cell_state(method).has_maps]
        numbers = _numbers(selection.options.image_size**2, plan.places[job.model], new)
        names = sum(2 * len(sample.id) + _ENTRY for sample in test)
        total += _maps_of_an_image(selection, ledger) * (len(test) * numbers + len(new) * names)
    return round(total)


def taken_bytes(out: Path) -> int:
    """Return how many bytes the raw maps in a run's folder take."""
    total = 0
    for path in files_below(out / "cells", ANY_MAPS):
        with suppress(FileNotFoundError):  # another run has joined its parts just now
            total += path.stat().st_size
    return total


def _maps_of_an_image(selection: Selection, ledger: Ledger) -> float:
    dataset = selection.dataset
    if dataset.several_labels:
        every = selection.options.target == ALL
        shown = sum(f.label == 1 for sample in dataset.samples for f in sample.class_labels)
        return len(dataset.classes) if every else max(shown / len(dataset.samples), 1)
    both = selection.options.target == "auto" and ledger.judge is not None
    return 2 - 1 / len(selection.dataset.classes) if both else 1


def _numbers(image: int, grid: int, methods: list[Bound]) -> float:
    """Return the bytes of all methods' numbers for one map each, of an image or of a CAM."""
    words = [set(method.plugin.signature.words) for method in methods]
    cams = [
        method.plugin.traits.family == "cam" and "activations" in asked
        for method, asked in zip(methods, words, strict=True)
    ]
    sizes = (
        grid if is_cam else image / _SHRUNK if asked & _MASKS else image
        for is_cam, asked in zip(cams, words, strict=True)
    )
    return _FLOAT * sum(sizes)
