"""``xaibench run`` and ``xaibench report``."""

import shlex
import sys
import typing
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Literal

import click

from xaibench.pipeline.options import RunOptions, read_suite

_FAILED_CELLS = 3
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
    name, text = "--" + item.name.replace("_", "-"), item.metadata["help"]
    if kind is bool:
        return click.option(f"{name}/--no-{name[2:]}", default=None, help=text)
    if item.name == "plugin":
        return click.option(name, multiple=True, metavar="FILE", help=text)
    metavar = _metavar(item.name, kind)
    return click.option(name, default=None, type=_click_type(kind), metavar=metavar, help=text)


@click.command()
@run_options()
@click.option("--suite", type=Path, metavar="FILE.toml", help="read options from a TOML file")
@click.option("--dry-run", is_flag=True, help="print the plan and do nothing")
def run(suite: Path | None, dry_run: bool, **given: Any) -> None:
    """Train, explain and score; the same command again does only what is missing.

    Without a dataset the embedded phantom runs, with small networks, in a few minutes.
    """
    from xaibench.core.progress import log_to_terminal
    from xaibench.pipeline.plan import describe_plan, estimate_seconds, make_plan
    from xaibench.pipeline.run import run_plan
    from xaibench.pipeline.selection import select

    log_to_terminal()
    chosen = {name: value for name, value in given.items() if value not in (None, ())}
    selection = select({**(read_suite(suite) if suite else {}), **chosen})
    plan = make_plan(selection)
    for line in describe_plan(selection, plan):
        click.echo(line)
    if dry_run:
        click.echo(f"estimated time: {_duration(estimate_seconds(selection, plan))}")
        return
    outcome = run_plan(selection, plan, f"xaibench {shlex.join(sys.argv[1:])}")
    show(outcome.out)
    for cell, error in outcome.failures.items():
        click.echo(f"failed: {cell}: {error}", err=True)
    if outcome.failures:
        raise SystemExit(_FAILED_CELLS)


@click.command()
@click.argument("directory", type=Path)
def report(directory: Path) -> None:
    """Write a run's tables and pictures again."""
    show(directory)


def show(out: Path) -> None:
    """Write a folder's report and print its board."""
    from xaibench.core.store import read_json
    from xaibench.report.terminal import print_board
    from xaibench.report.write import write_report

    print_board(write_report(out), read_json(out / "run.json"))
    click.echo(f"written to {out}: leaderboard.md, scores.csv, classification.csv, grid.png, ...")


def _duration(seconds: float) -> str:
    minutes, hour = seconds / 60, 60
    if minutes < 1:
        return "under a minute"
    return f"{minutes:.0f} minutes" if minutes < 2 * hour else f"{minutes / hour:.1f} hours"
