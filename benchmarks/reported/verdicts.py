"""Whether a run of ours repeats what a report printed, and in which respects it can't."""

import shlex
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from entries import Entry
from ours import Ours, find

from xaibench.core.errors import XaibenchError
from xaibench.core.spec import parse_spec
from xaibench.core.store import read_json
from xaibench.setup.option_values import flag

# They name the suite or say where and how fast to compute, and change no score.
_HARMLESS = frozenset({"suite", "profile", "part", "out", "device", "data_root", "batch_size",
                       "replicas", "compile"})  # fmt: skip
_MOST_APART = 3


class Kind(StrEnum):
    """How an entry compares with our runs."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    OTHER_SETTING = "not the same setting"
    NO_FIGURE = "run, but no figure was reported"
    HELD = "held by a test"
    ELSEWHERE = "told by a command of its own"
    NOT_RUN = "not run"


class Run(NamedTuple):
    """A run of a suite: its folder, and its ``run.json``."""

    folder: Path
    info: dict[str, Any]


class Verdict(NamedTuple):
    """What is to be said of an entry; ``why`` tells what differs or is missing."""

    kind: Kind
    why: str = ""
    ours: Ours | None = None
    run: Run | None = None


def find_runs(folders: Iterable[Path]) -> list[Run]:
    """Return the suites' runs in or below folders, latest first.

    Raises:
        XaibenchError: there is no such folder.
    """
    found = {}
    for folder in folders:
        if not folder.is_dir():
            raise XaibenchError(f"{folder}: no such folder; name the --out folder of a run.")
        for path in folder.rglob("run.json"):
            info = read_json(path)
            if "suite" in info:
                found[path.parent.resolve()] = Run(path.parent, info)
    return sorted(found.values(), key=lambda r: (r.info["date"], str(r.folder)), reverse=True)


def judge(entry: Entry, runs: Iterable[Run]) -> Verdict:
    """Judge an entry by the run of its suite and part that is most like the report's."""
    if entry.table == "test":
        return Verdict(Kind.HELD)
    if entry.command:
        return Verdict(Kind.ELSEWHERE)
    runs = list(runs)
    own = [run for run in runs if _is_part(run, entry)]
    if own and not entry.table:
        return Verdict(Kind.NO_FIGURE, run=own[0])
    judged = [_judge(entry, run, ours) for run in own if (ours := find(run.folder, entry))]
    if judged:
        return next((v for v in judged if v.kind is not Kind.OTHER_SETTING), judged[0])
    if entry.similar and (others := list(_of_similar(entry, runs))):
        return others[0]
    missing = " on ".join(filter(None, (entry.method, entry.model)))
    why = f"the run has no {entry.column} of {missing}" if own else entry.reason
    return Verdict(Kind.NOT_RUN, why)


def _of_similar(entry: Entry, runs: Iterable[Run]) -> Iterator[Verdict]:
    """Yield what other suites' runs show; never more than another setting."""
    other = entry.other
    model = "" if other.model == entry.model else f"{other.model} instead of {entry.model}"
    for run in runs:
        if _is_part(run, other) and (ours := find(run.folder, other)):
            where = " / ".join(filter(None, (other.suite, other.part)))
            told = "; ".join(filter(None, (where, model, *_differences(other, run, ours))))
            yield Verdict(Kind.OTHER_SETTING, told, ours, run)


def _is_part(run: Run, entry: Entry) -> bool:
    suite = run.info["suite"]
    return bool(suite["name"] == entry.suite and suite["part"] == entry.part)


def _judge(entry: Entry, run: Run, ours: Ours) -> Verdict:
    if not entry.reported:
        return Verdict(Kind.NO_FIGURE, "", ours, run)
    differing = "; ".join(_differences(entry, run, ours))
    if differing:
        return Verdict(Kind.OTHER_SETTING, differing, ours, run)
    value, low, high = (entry.scale * number for number in ours[:3])
    span = entry.span
    # NaN, an interval that there isn't, holds nothing.
    if span.low <= value <= span.high or low <= entry.value <= high:
        return Verdict(Kind.REPRODUCED, "", ours, run)
    side = "higher" if value > entry.value else "lower"
    return Verdict(Kind.NOT_REPRODUCED, f"ours is {side}", ours, run)


def _differences(entry: Entry, run: Run, ours: Ours) -> Iterator[str]:
    """Yield in which respects a run's setting isn't the report's."""
    if run.info["suite"]["profile"] != "full":
        yield f"profile {run.info['suite']['profile']}"
    wanted = dict(option.split("=", 1) for option in entry.options.split())
    for name, value in wanted.items():
        there = str(run.info["options"].get(name, "absent"))
        if not (_includes(there, value) if name == "dataset" else there == value):
            yield f"{name} {there} instead of {value}"
    for name in _changed(run.info["command"]):
        if name not in wanted:
            yield f"{flag(name)} differs from the suite's"
    if entry.images and not 1 / _MOST_APART <= ours.images / int(entry.images) <= _MOST_APART:
        yield f"{ours.images} images instead of {entry.images}"


def _includes(spec: str, wanted: str) -> bool:
    """Tell whether a spec has the wanted name and at least the wanted options."""
    (name, options), (there, given) = parse_spec(wanted), parse_spec(spec)
    return there == name and options.items() <= given.items()


def _changed(command: str) -> Iterator[str]:
    """Yield the options beside the suite that a command gives and that can change a score."""
    for word in shlex.split(command):
        name = word.removeprefix("--").partition("=")[0].removeprefix("no-").replace("-", "_")
        if word.startswith("--") and name not in _HARMLESS:
            yield name
