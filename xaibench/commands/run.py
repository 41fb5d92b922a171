"""``xaibench run`` and ``xaibench report``."""

import typing
from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Literal

import click

from xaibench.commands.options import command_line, end_with, given_ones
from xaibench.core.errors import XaibenchError
from xaibench.pipeline.options import RunOptions, flag

Command = Callable[..., None]


def _click_type(kind: Any) -> Any:
    if typing.get_origin(kind) is Literal:
        return click.Choice(typing.get_args(kind))
    return str if typing.get_origin(kind) is tuple else kind


def _metavar(name: str, kind: Any) -> str | None:
    if typing.get_origin(kind) is Literal:
        return None
    if typing.get_origin(kind) is tuple:
        return "A,B"
    return {"out": "DIR", "data_root": "DIR", "groups": "FILE"}.get(name)


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
    metavar = _metavar(item.name, kind)
    return click.option(name, default=None, type=_click_type(kind), metavar=metavar, help=text)


@click.command()
@run_options()
@click.option("--suite", type=Path, metavar="FILE.toml", help="read options from a TOML file")
@click.option("--profile", default="", metavar="NAME", help="profile of the suite, such as quick")
@click.option("--part", default="", metavar="NAME", help="part of the suite; default all")
@click.option("--dry-run", is_flag=True, help="print the plan and do nothing")
def run(suite: Path | None, profile: str, part: str, dry_run: bool, **given: Any) -> None:
    """Train, explain and score; the same command again does only what is missing.

    Without a dataset the embedded phantom runs, with small networks, in a few minutes.
    """
    from xaibench.core.progress import log_to_terminal
    from xaibench.pipeline.suite import SuitePart, read_suite

    log_to_terminal()
    chosen = given_ones(given)
    if suite is None and (profile or part):
        raise XaibenchError("--profile and --part choose from a suite; name it with --suite FILE.")
    parts = read_suite(suite, profile, part) if suite else [SuitePart({}, {})]
    failed: list[str] = []
    for each in parts:
        options = {**each.options, **chosen}
        if "out" in chosen and len(parts) > 1:
            options["out"] = str(Path(chosen["out"]) / each.origin["part"])
        if len(parts) > 1:
            click.secho(each.title, bold=True)
        try:
            failed += _run(options, each.origin, dry_run=dry_run)
        except XaibenchError as error:
            # Data that one part lacks must not cost the others.
            if len(parts) == 1:
                raise
            failed.append(f"{each.title}: {error}")
    end_with(failed)


def _run(options: dict[str, Any], origin: Mapping[str, str], *, dry_run: bool) -> list[str]:
    """Plan, run and report; return what failed."""
    from xaibench.pipeline.estimate import estimate_seconds
    from xaibench.pipeline.plan import describe_plan, make_plan
    from xaibench.pipeline.run import run_plan
    from xaibench.pipeline.selection import select

    selection = select(options)
    plan = make_plan(selection)
    for line in describe_plan(selection, plan):
        click.echo(line)
    if dry_run:
        click.echo(f"estimated time: {duration(estimate_seconds(selection, plan))}")
        return []
    outcome = run_plan(selection, plan, command_line(), origin)
    show(outcome.out)
    return [f"{cell}: {error}" for cell, error in outcome.failures.items()]


@click.command()
@click.argument("directory", type=Path)
def report(directory: Path) -> None:
    """Write a run's tables and pictures again."""
    show(directory)


def show(out: Path) -> None:
    """Write a folder's report and print its board and what its analyses came to."""
    from xaibench.core.store import read_json
    from xaibench.report.wording.analysis_document import analysis_lines
    from xaibench.report.wording.terminal import print_board
    from xaibench.report.write import write_report

    print_board(write_report(out), read_json(out / "run.json"))
    for line in analysis_lines(out):
        click.echo(line)
    names = ("leaderboard.md", "scores.csv", "classification.csv", "analyses.csv", "grid.png")
    there = [name for name in names if (out / name).is_file()]
    click.echo(f"written to {out}: {', '.join(there)}, ...")


def duration(seconds: float) -> str:
    """Write an estimated time."""
    minutes, hour = seconds / 60, 60
    if minutes < 1:
        return "under a minute"
    return f"{minutes:.0f} minutes" if minutes < 2 * hour else f"{minutes / hour:.1f} hours"
