"""Scoring maps that someone else made, into a folder that reads like a run's."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import checksum, fingerprint
from xaibench.core.logs import logged_to
from xaibench.core.roots import open_dataset
from xaibench.core.store import folder_name, write_with
from xaibench.results.folder import PREDICTIONS_FILE, RUN_FILE
from xaibench.results.integrity import read_record, write_record
from xaibench.results.records import RunRecord, Skip
from xaibench.results.sources import SubmissionEntry
from xaibench.running.collect import collect_tables, seal_run
from xaibench.running.plan import Plan, make_plan
from xaibench.running.run_record import describe_protocol, describe_run, save_split
from xaibench.running.task_runner import TaskRunner
from xaibench.setup.jobs import steps_of
from xaibench.submission.cell import SubmittedCell
from xaibench.submission.checks import check_maps
from xaibench.submission.coverage import drop_metrics, find_missing, maps_used
from xaibench.submission.entry import Submission, as_method, read_about
from xaibench.submission.file import MapsFile
from xaibench.submission.setting import Setting


@dataclass
class Scored:
    """What came of a submission: its folder, what was odd, what couldn't be scored, and failed."""

    out: Path
    method: str
    warnings: list[str]
    skips: list[Skip]
    failures: dict[str, str]


def score_submission(
    setting: Setting,
    path: Path,
    said: Mapping[str, Any],
    command: str,
    *,
    allow_missing: bool = False,
) -> Scored:
    """Check submitted maps and score them beside the controls.

    Args:
        setting: the protocol; its ``--out`` gets what a run leaves there.
        path: npz file of maps (`MapsFile`).
        said: of the maps, where it counts more than what the file says (`About`).
        command: how to repeat this.
        allow_missing: test images without a map are undefined and counted, not refused.

    Raises:
        XaibenchError: the maps are not what the protocol asks for; nothing was scored then.
    """
    file = MapsFile(path)
    with ExitStack() as stack:
        stack.callback(file.close)
        about = read_about(file, said)
        submission = Submission(file, about, _all_ids(setting))
        method = as_method(about)
        _choose_out(setting, about.method)
        stack.enter_context(logged_to(setting.layout.out, command))
        if not setting.network_known:
            setting.read_models_in(Path(stack.enter_context(TemporaryDirectory())))
        controls = [m for m in setting.methods if m.plugin.traits.family == "control"]
        setting.methods = [method, *(controls if setting.options.controls else ())]
        plan = make_plan(setting)
        protocol = describe_protocol(setting, plan)
        _check_protocol(submission, fingerprint(protocol))
        cells = [
            SubmittedCell(each, submission, method, setting.network_known)
            for each in setting.ledgers
        ]
        drop_metrics(setting, plan, cells, submission)
        missing = find_missing(setting, plan, cells, submission, allow=allow_missing)
        used = maps_used(setting, plan, cells)
        warnings = missing + check_maps(submission, used, setting)
        splits = _save_splits(setting)
        failures = _score(setting, plan, cells)
        setting.command = command
        described = describe_run(setting, plan, splits)
        own = replace(described.methods[method.spec], mask_fraction=about.mask_fraction)
        submitted = SubmissionEntry(
            file=str(path),
            sha256=checksum(path),
            method=about.method,
            target=about.target,
            mask_fraction=about.mask_fraction,
            warnings=warnings,
        )
        run = replace(
            described,
            methods={**described.methods, method.spec: own},
            protocol=protocol,
            protocol_hash=fingerprint(protocol),
            submission=submitted,
        )
        write_record(setting.layout.out / RUN_FILE, run)
        collect_tables(setting, plan)
        if not setting.network_known:
            _forget_predictions(setting.layout.out / PREDICTIONS_FILE)
            seal_run(setting)
    return Scored(setting.layout.out, about.method, warnings, plan.skips, failures)


def _all_ids(setting: Setting) -> frozenset[str]:
    """Return the ids of the whole dataset, as maps beyond ``--limit`` are no mistake."""
    dataset = setting.dataset
    if setting.options.limit:
        dataset = open_dataset(setting.dataset_plugin, setting.options.data_root)
    return frozenset(sample.id for sample in dataset.samples)


def _choose_out(setting: Setting, name: str) -> None:
    given = setting.options.out
    out = Path(given or f"results/score-{folder_name(name)}")
    known = read_record(out / RUN_FILE, RunRecord)
    if known and known.submission is None:
        raise XaibenchError(f"--out {out}: a run lies there; choose another folder.")
    setting.layout = replace(setting.layout, out=out)


def _check_protocol(submission: Submission, ours: str) -> None:
    theirs = submission.about.protocol
    if theirs and theirs != ours:
        raise XaibenchError(
            f"{submission.file.path}: made for protocol {theirs}, but here it is {ours}; score "
            "them under the run that they were made for (--run DIR), or with its options."
        )


def _score(setting: Setting, plan: Plan, cells: Sequence[SubmittedCell]) -> dict[str, str]:
    """Score controls and maps; return what failed, and why."""
    mine, out = cells[0].method.spec, setting.layout.out
    run = TaskRunner(setting, plan.metrics)
    failures: dict[str, str] = {}
    for job in plan.jobs:
        controls = tuple(spec for spec in job.methods if spec != mine)
        if controls:
            images = len(setting.split(job.fold).test)
            for step in steps_of(replace(job, methods=controls, dependence=()), images, images):
                failures |= {f"{what} on {job.title}": why for what, why in run(step, out).items()}
    for cell in cells:
        failed = cell.commit(plan.metrics)
        failures |= {
            f"{what} of {mine} on {cell.ledger.title}": why for what, why in failed.items()
        }
    return failures


def _save_splits(setting: Setting) -> dict[str, str]:
    found = dict(save_split(setting, fold) for fold in setting.folds)
    for name, made in found.items():
        if setting.run_splits.get(name, made) != made:
            raise XaibenchError(
                f"splits/{name} differs from the run's: the dataset's files or groups have "
                "changed; repeat the run first."
            )
    return found


def _forget_predictions(path: Path) -> None:
    """Keep what is known of each image; what the network predicts is not."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    told = table.columns[table.columns.str.startswith(("prediction", "confidence_"))]
    empty = dict.fromkeys(map(str, told), "")
    write_with(path, lambda file: table.assign(**empty).to_csv(file, index=False))
