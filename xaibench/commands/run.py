"""``xaibench run`` and ``xaibench report``."""

import time
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Literal

import click

from xaibench.commands.complete import OF_OPTIONS, suite_file, table_of_suite
from xaibench.commands.help import command
from xaibench.commands.options import (
    command_line,
    end_with,
    given_ones,
    plugin_option,
    say,
    text_option,
    verbosity_options,
)
from xaibench.core.errors import XaibenchError
from xaibench.core.logs import logged_to
from xaibench.results.folder import (
    ANALYSES_FILE,
    BOARD_MARKDOWN_FILE,
    CLASSIFICATION_FILE,
    LOG_FILE,
    PAGE_FILE,
    PER_CLASS_FILE,
    SCORES_FILE,
)
from xaibench.setup.option_values import flag
from xaibench.setup.options import RunOptions

Command = Callable[..., None]
_SHOWN = (
    PAGE_FILE, BOARD_MARKDOWN_FILE, SCORES_FILE, CLASSIFICATION_FILE, PER_CLASS_FILE,
    ANALYSES_FILE, LOG_FILE,
)  # fmt: skip


def _click_type(kind: Any) -> Any:
    if typing.get_origin(kind) is Literal:
        return click.Choice(typing.get_args(kind))
    return str if typing.get_origin(kind) is tuple else kind


def _metavar(name: str, kind: Any) -> str | None:
    if typing.get_origin(kind) is Literal:
        return None
    if typing.get_origin(kind) is tuple:
        return "A,B"
    return {"out": "DIR", "data_root": "DIR", "groups": "FILE", "checkpoint": "FILE"}.get(name)


def run_options(*names: str) -> Callable[[Command], Command]:
    """Give a command an option for each field of `RunOptions`, or for those named."""
    types = typing.get_type_hints(RunOptions)

    def decorate(command: Command) -> Command:
        for item in reversed(fields(RunOptions)):
            if not names or item.name in names:
                command = _option(item, types[item.name])(command)
        return command

    return decorate


def _option(item: Field[Any], kind: Any) -> Callable[[Command], Command]:
    name, text = flag(item.name), item.metadata["help"]
    if kind is bool:
        return click.option(f"{name}/--no-{name[2:]}", default=None, help=text)
    if item.name == "plugin":
        return click.option(name, multiple=True, metavar="FILE", help=text)
    return click.option(
        name,
        default=None,
        type=_click_type(kind),
        metavar=_metavar(item.name, kind),
        help=text,
        shell_complete=OF_OPTIONS.get(item.name),
    )


@command(
    "xaibench run --dataset busi --methods gradcam,spn",
    'xaibench run --dataset "folder[path=images]" --models resnet18 --epochs 10 --dry-run',
)
@verbosity_options
@run_options()
@click.option(
    "--suite",
    type=Path,
    metavar="FILE.toml",
    shell_complete=suite_file,
    help="read options from a TOML file",
)
@text_option("--profile", "NAME", "profile of the suite, such as quick", table_of_suite("profiles"))
@text_option("--part", "NAME", "part of the suite; default all", table_of_suite("parts"))
@click.option("--dry-run", is_flag=True, help="print the plan and do nothing")
def run(suite: Path | None, profile: str, part: str, dry_run: bool, **given: Any) -> None:
    """Train, explain and score; the same command again does only what is missing.

    Without a dataset the embedded phantom runs, with small networks, in a few minutes.
    """
    from xaibench.core.progress import progress_bar
    from xaibench.setup.suite import SuitePart, read_suite

    chosen = given_ones(given)
    if suite is None and (profile or part):
        raise XaibenchError("--profile and --part choose from a suite; name it with --suite FILE.")
    parts = read_suite(suite, profile, part) if suite else [SuitePart({}, {})]
    several = len(parts) > 1
    failed: list[str] = []
    with progress_bar("suite", str(suite), len(parts), shown=several and not dry_run) as bar:
        for each in parts:
            options = {**each.options, **chosen}
            if "out" in chosen and several:
                options["out"] = str(Path(chosen["out"]) / each.origin["part"])
            if several:
                say(each.title, bold=True)
            try:
                failed += _run(options, each.origin, dry_run=dry_run)
            except XaibenchError as error:
                # Data that one part lacks must not cost the others.
                if not several:
                    raise
                failed.append(f"{each.title}: {error}")
            bar.advance()
    end_with(failed)


def _run(options: dict[str, Any], origin: Mapping[str, str], *, dry_run: bool) -> list[str]:
    """Plan, run and report; return what failed."""
    from rich.filesize import decimal

    from xaibench.callbacks.callback import BoardWritten
    from xaibench.callbacks.find import make_callbacks
    from xaibench.core.screen import clock
    from xaibench.running.describe_plan import describe_plan
    from xaibench.running.disk import describe_maps, taken_bytes
    from xaibench.running.estimate import estimate_seconds
    from xaibench.running.locks import settled
    from xaibench.running.plan import make_plan
    from xaibench.running.run import run_plan
    from xaibench.setup.selection import select

    started = time.monotonic()
    selection = select(options)
    plan = make_plan(selection, timed=dry_run)
    for line in [*describe_plan(selection, plan), *describe_maps(selection, plan)]:
        say(line)
    if dry_run:
        click.echo(f"estimated time: {duration(estimate_seconds(selection, plan))}")
        return []
    with (
        logged_to(selection.layout.out, command_line()),
        make_callbacks(selection.options.callbacks) as callbacks,
    ):
        outcome = run_plan(selection, plan, command_line(), origin, callbacks)
        if not outcome.has_no_results:
            with settled(outcome.out):
                show_if_changed(outcome.out)
                if callbacks:
                    from xaibench.report.write import report_of

                    callbacks.on_board(BoardWritten(outcome.out, report_of(outcome.out).board))
    for skip in outcome.skips:
        if skip not in plan.skips:  # told already
            say(f"skipped: {skip.what}: {skip.reason}")
    counts = [f"{len(outcome.failures)} failed"] if outcome.failures else []
    counts += [f"{len(outcome.skips)} skipped"] if outcome.skips else []
    taken = taken_bytes(outcome.out)
    counts += [f"raw maps take {decimal(taken)}"] if taken else []
    say(", ".join([f"done in {clock(time.monotonic() - started)}", *counts]))
    return [f"{cell}: {error}" for cell, error in outcome.failures.items()]


@command(
    "xaibench report results/busi",
    "xaibench report results/busi --title 'Breast lesions, 2026'",
)
@verbosity_options
@click.argument("directory", type=Path)
@click.option("--full", is_flag=True, help="print all tables, not only the summary")
@click.option(
    "--accept-changes",
    is_flag=True,
    help="report files that were changed since the run, and say so on the page",
)
@text_option("--title", "TEXT", "heading of page, grid and LaTeX; default the dataset's name")
@plugin_option
def report(directory: Path, *, full: bool, accept_changes: bool, title: str) -> None:
    """Write a run's or a study's tables and pictures again."""
    from xaibench.report.study import is_study, rewrite_study

    if is_study(directory):
        show_study(directory, rewrite_study(directory))
    else:
        show(directory, full=full, accept_changes=accept_changes, title=title)


def show_study(out: Path, answers: Iterable[str]) -> None:
    """Print what a study came to."""
    for answer in answers:
        say(f"- {answer}")
    say(f"written to {out}: study.md, study.csv, study.png, study.svg")


def show(out: Path, *, full: bool = False, accept_changes: bool = False, title: str = "") -> None:
    """Write a folder's report, and print what came out or all of its board."""
    from xaibench.core.progress import progress_bar
    from xaibench.report.wording.analysis_document import analysis_lines
    from xaibench.report.wording.terminal import full_boards, summary
    from xaibench.report.write import write_report

    with progress_bar("write", "the report", 1):
        contents = write_report(out, accept_changes=accept_changes, title=title)
    if text := full_boards(contents) if full else summary(contents):
        say(text, styled=True)
    for line in analysis_lines(out):
        say(line)
    there = ", ".join(name for name in _SHOWN if (out / name).is_file())
    say(f"written to {out}: {there}, ...")


def show_if_changed(out: Path) -> None:
    """Print what a folder's report says; write it only where it would come out otherwise."""
    from xaibench.report.current import is_current, said_before

    if not is_current(out):
        show(out)
        return
    say(said_before(out))
    say(f"the report in {out} is up to date: nothing was written again")


def duration(seconds: float) -> str:
    """Write an estimated time, and of a long one what makes it shorter."""
    minutes, hour = seconds / 60, 60
    if minutes < 1:
        return "under a minute"
    if minutes < 2 * hour:
        return f"{minutes:.0f} minutes"
    hint = "a GPU, smaller images or networks and fewer folds take less"
    return f"{minutes / hour:.1f} hours; {hint}"
