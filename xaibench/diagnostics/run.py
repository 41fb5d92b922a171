"""All diagnostics of a finished run's models and methods, or of the shortcut."""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from xaibench.core.csv_cells import restore, to_csv
from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound
from xaibench.core.progress import progress_bar
from xaibench.core.registry import bind
from xaibench.core.store import write_text, write_with
from xaibench.core.suggest import did_you_mean
from xaibench.diagnostics import (
    baseline_sensitivity,
    classifier_dependence,
    gaming,
    randomization,
    shortcut,
)
from xaibench.diagnostics.document import to_markdown
from xaibench.diagnostics.finding import Finding, tabulate
from xaibench.diagnostics.subject import Subject, open_subject
from xaibench.results.folder import DIAGNOSTICS_FILE, DIAGNOSTICS_PAGE_FILE
from xaibench.results.records import RunRecord
from xaibench.results.stored_run import options_of, read_run
from xaibench.setup.option_values import listed
from xaibench.setup.selection import Selection, select

_log = logging.getLogger(__name__)
CHECKS = (randomization.NAME, classifier_dependence.NAME, baseline_sensitivity.NAME)
"""Those that are done unless others are asked for; gaming takes hundreds of passes a metric."""
# Chance needs other images' maps, and intervals more than a few.
_FEWEST_IMAGES = 4
_SHORTCUT = {
    "dataset": "phantom",
    "methods": "gradcam,gradient,spn",
    "epochs": 8,
    "image_size": 96,
    "weights": "none",
}


def diagnose(
    out: Path,
    *,
    checks: str = "",
    methods: str = "",
    plugin: Sequence[str] = (),
    images: int = 32,
    device: str = "",
) -> pd.DataFrame:
    """Diagnose a finished run, and write ``diagnostics.csv`` and ``diagnostics.md`` to its folder.

    Args:
        out: the run's folder.
        checks: names of diagnostics; empty takes all but ``gaming``, which alone keeps what the
            folder has of the others.
        methods: of the run; empty takes all, controls included.
        plugin: Python files with the run's plugins, which aren't loaded because it names them.
        images: number of test images; where there are fewer, all.
        device: ``cpu`` or ``cuda``; empty takes the run's.

    Returns:
        One row for each finding.

    Raises:
        XaibenchError: the folder is no finished run's, names plugin files, or a name is unknown.
    """
    _check_images(images)
    chosen = _choose_checks(checks)
    given = {name: value for name, value in (("device", device), ("plugin", plugin)) if value}
    selection = select(options_of(out, _run_of(out), {"out": str(out), **given}))
    wanted = _choose_methods(selection, methods)
    judging = [model for model in selection.models if selection.about(model).classifies]
    if not judging:
        raise XaibenchError(f"{out}: none of its models classifies; diagnostics ask a classifier.")
    findings: list[Finding] = []
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        steps = len(judging) * len(chosen)
        with progress_bar("diagnose", selection.dataset_spec, steps) as bar:
            for model in judging:
                subject = open_subject(selection, model, wanted, images)
                for check in chosen:
                    _log.info("%s of %s", check, model.spec)
                    bar.at(f"{check} of {model.spec}")
                    findings += _run(check, subject, selection)
                    bar.advance()
    about = [
        f"{len(subject.groups)} test images of {selection.dataset_spec}, chosen by chance from all "
        f"classes; fold 0, seed {subject.seed}; explained is the "
        f"{'true' if subject.kind == 'label' else 'predicted'} class."
    ]
    return _write(out, findings, about)


def diagnose_shortcut(
    out: Path,
    *,
    models: str = "",
    methods: str = "",
    plugin: Sequence[str] = (),
    images: int = 32,
    device: str = "",
) -> pd.DataFrame:
    """Train twin networks on phantoms, with and without a use for the marker, and see who tells.

    Args:
        out: folder for the trained twins, ``diagnostics.csv`` and ``diagnostics.md``.
        models: names of models; empty takes the phantom's own.
        methods: names of methods; empty takes gradcam, gradient and spn. Controls come along.
        plugin: Python files with plugins.
        images: number of marked images.
        device: ``cpu`` or ``cuda``; empty takes a GPU where there is one.

    Returns:
        One row for each finding.

    Raises:
        XaibenchError: a name is unknown.
    """
    _check_images(images)
    given: dict[str, Any] = {
        "models": models,
        "methods": methods,
        "plugin": plugin,
        "device": device,
    }
    chosen = {name: value for name, value in given.items() if value}
    selection = select({**_SHORTCUT, **chosen, "out": str(out)})
    findings: list[Finding] = []
    with (
        torch.random.fork_rng(devices=range(torch.cuda.device_count())),
        progress_bar("diagnose", shortcut.NAME, len(selection.models)) as bar,
    ):
        for model in selection.models:
            findings += shortcut.shortcut(selection, model, images)
            bar.advance()
    return _write(out, findings, [f"{images} marked malignant phantoms that no network has seen."])


def _run_of(out: Path) -> RunRecord:
    if out.is_file():
        raise XaibenchError(f"{out}: it is a file; name its folder, {out.parent}.")
    return read_run(out)


def _run(check: str, subject: Subject, selection: Selection) -> Iterator[Finding]:
    if check == randomization.NAME:
        return randomization.randomization(subject)
    if check == classifier_dependence.NAME:
        return classifier_dependence.classifier_dependence(subject)
    if check == gaming.NAME:
        return gaming.gaming(subject, selection.metrics, gaming.TRIES)
    return baseline_sensitivity.baseline_sensitivity(subject, selection.metrics)


def _check_images(images: int) -> None:
    if images < _FEWEST_IMAGES:
        raise XaibenchError(f"--images {images}: at least {_FEWEST_IMAGES}.")


def _choose_checks(given: str) -> Sequence[str]:
    names = listed(given) or CHECKS
    for name in names:
        if name not in (*CHECKS, gaming.NAME):
            raise XaibenchError(
                f"--checks: there is no diagnostic '{name}'{did_you_mean(name, CHECKS)}; choose "
                f"from {', '.join(CHECKS)} (the shortcut has a flag of its own)."
            )
    return names


def _choose_methods(selection: Selection, given: str) -> Sequence[Bound]:
    if not given:
        return selection.methods
    wanted = [bind("method", name).spec for name in listed(given)]
    known = {method.spec: method for method in selection.methods}
    for spec in wanted:
        if spec not in known:
            raise XaibenchError(
                f"--methods: {spec} is not in this run{did_you_mean(spec, known)}; it has "
                f"{', '.join(known)}."
            )
    return [known[spec] for spec in wanted]


def _write(out: Path, findings: Sequence[Finding], about: Sequence[str]) -> pd.DataFrame:
    frame = tabulate(findings)
    if (out / DIAGNOSTICS_FILE).is_file() and set(frame["diagnostic"]) == {gaming.NAME}:
        before = restore(pd.read_csv(out / DIAGNOSTICS_FILE))
        kept = before[before["diagnostic"] != gaming.NAME]
        frame = pd.concat([kept, frame], ignore_index=True)
        frame[["verdict", "why"]] = frame[["verdict", "why"]].fillna("")
    write_with(out / DIAGNOSTICS_FILE, partial(to_csv, frame))
    write_text(out / DIAGNOSTICS_PAGE_FILE, to_markdown(frame, about))
    return frame
