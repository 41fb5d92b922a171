"""Where a result came from: versions, date, device and command, told where it was made."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from xaibench import __version__
from xaibench.core.fingerprints import fingerprint
from xaibench.core.plugin import Bound
from xaibench.core.versions import versions_of
from xaibench.results.integrity import as_json
from xaibench.results.records import Made, RunRecord
from xaibench.setup.devices import device_here
from xaibench.setup.options import RunOptions
from xaibench.setup.selection import Selection

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "scikit-image", "pillow")
_SYSTEM = ("python", "platform")  # of which results don't depend


def made_by(selection: Selection, *plugins: Bound) -> Made:
    """Return what this process makes results with, now.

    Args:
        selection: what the run is about.
        plugins: that make the result; the libraries that they wrap are told, too.
    """
    wrapped = [bound.plugin.wraps for bound in plugins if bound.plugin.wraps]
    versions = {
        "xaibench": __version__,
        **versions_of([*PACKAGES, *wrapped]),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    return Made(
        versions=versions,
        compute=describe_compute(selection.options),
        precision=selection.options.precision,
        command=selection.command,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def each_once(made: Iterable[Made]) -> list[Made]:
    """Return what differs in more than the date, each with its last date, in order of dates."""
    found: dict[str, Made] = {}
    for each in sorted(made, key=lambda one: one.date):
        found[fingerprint(as_json(replace(each, date="")))] = each
    return sorted(found.values(), key=lambda one: one.date)


def is_of_today(made: Sequence[Made]) -> bool:
    """Whether a result was made by the versions of libraries that are installed now."""
    told = [pair for each in made for pair in _libraries(each).items()]
    today = {**versions_of({name for name, _ in told}), "xaibench": __version__}
    return bool(told) and all(today.get(name) == text for name, text in told)


def made_before(run: RunRecord) -> Made:
    """Return who made the results of a folder whose ``run.json`` alone told it."""
    return Made(
        versions={"xaibench": run.xaibench or "unknown", **run.versions},
        compute=run.compute,
        precision=str(run.options.get("precision", "fp32")),
        command=run.command,
        date=run.date,
    )


def combine(told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one mapping for several; where they differ, all values as text."""
    held: dict[str, list[Any]] = {}
    for name, value in (pair for each in told for pair in each.items()):
        if value not in held.setdefault(name, []):
            held[name].append(value)
    return {
        name: values[0] if len(values) == 1 else " and ".join(map(str, values))
        for name, values in held.items()
    }


def mixed_versions(made: Sequence[Made]) -> list[str]:
    """Return a warning that names the libraries whose versions differ among results."""
    told = combine([_libraries(each) for each in made])
    mixed = [f"{name} {text}" for name, text in told.items() if " and " in str(text)]
    if not mixed:
        return []
    return [
        f"results were made by different versions: {', '.join(mixed)}; --strict-versions makes "
        "those of other versions than today's again"
    ]


def describe_compute(options: RunOptions) -> dict[str, Any]:
    """Return what the last digits hang on: the device, and on the CPU its number of threads."""
    device = device_here(options)
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


def _libraries(made: Made) -> dict[str, str]:
    return {name: text for name, text in made.versions.items() if name not in _SYSTEM}
