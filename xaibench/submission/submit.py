"""What is handed in is scored whole or not at all: a file of maps, or a plugin's methods."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound
from xaibench.results.stored_run import options_of, read_run
from xaibench.running.plan import make_plan
from xaibench.running.run import run_plan
from xaibench.setup.selection import select
from xaibench.submission.score import Scored, score_submission
from xaibench.submission.setting import Setting


def submit_maps(file: Path, setting: Setting, said: Mapping[str, Any], command: str) -> Scored:
    """Score maps as `score_submission` does.

    Raises:
        XaibenchError: they are not what the protocol asks for, or not all could be scored.
    """
    done = score_submission(setting, file, said, command)
    _refuse(done.failures)
    return done


def submit_plugin(
    file: Path, methods: Sequence[Bound], directory: Path, given: Mapping[str, Any], command: str
) -> Sequence[str]:
    """Score a plugin's methods in a run's folder.

    Args:
        file: of the plugin, whose methods were tried against the contract.
        methods: its methods.
        directory: of a finished run, whose networks and protocol it is.
        given: options that change no score.
        command: how to repeat this.

    Returns:
        The names of its methods.

    Raises:
        XaibenchError: not all could be scored.
    """
    names = [each.spec for each in methods]
    stored = read_run(directory)
    files = (*given.get("plugin", ()), str(file))
    options = options_of(directory, stored, {**given, "plugin": files, "out": str(directory)})
    chosen = [spec for spec in stored.methods if stored.kind_of(spec) != "control"]
    selection = select({**options, "methods": tuple(dict.fromkeys([*chosen, *names]))})
    _refuse(run_plan(selection, make_plan(selection), command).failures)
    return names


def _refuse(failures: Mapping[str, str]) -> None:
    if failures:
        told = "; ".join(f"{what}: {why}" for what, why in failures.items())
        raise XaibenchError(f"nothing is submitted, as not all could be scored ({told}).")
