"""What several commands share: options, what they print, and how they end."""

import functools
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xaibench.commands.exits import Exit
from xaibench.commands.verbosity import QUIET, VERBOSE, Verbosity
from xaibench.core.errors import XaibenchError
from xaibench.core.visible import visible

if TYPE_CHECKING:  # help needs no names of plugins
    from xaibench.commands.complete import Completer

Command = Callable[..., None]
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def verbosity() -> Verbosity:
    """Return what the command that runs just now was told of itself."""
    return click.get_current_context().ensure_object(Verbosity)


def verbosity_options(command: Command) -> Command:
    """Give a command ``--quiet`` and ``--verbose``, and show progress while it works."""

    @click.option("-q", "--quiet", is_flag=True, help="print nothing but errors and failures")
    @click.option("-v", "--verbose", is_flag=True, help="print all, with the time and tracebacks")
    @functools.wraps(command)
    def talk(*, quiet: bool, verbose: bool, **given: Any) -> None:
        from xaibench.core.screen import logging_to_terminal

        if quiet and verbose:
            raise XaibenchError("--quiet and --verbose: choose one of them.")
        mine = verbosity()
        mine.level = QUIET if quiet else VERBOSE if verbose else _usual_level()
        with logging_to_terminal(mine.level):
            command(**given)

    return talk


def _usual_level() -> int:
    name = os.environ.get("XAIBENCH_LOG", "INFO").upper()
    if name not in _LEVELS:
        raise XaibenchError(f"XAIBENCH_LOG={name}: choose one of {', '.join(_LEVELS)}.")
    return int(getattr(logging, name))


def say(text: str, *, bold: bool = False, err: bool = False, styled: bool = False) -> None:
    """Print, unless ``--quiet`` was given; text that is ``styled`` already is printed as it is."""
    from xaibench.core.screen import screen

    if not verbosity().quiet:
        with screen.paused():
            click.secho(text if styled else visible(text), bold=bold or None, err=err)


def _load(_context: click.Context, _option: click.Parameter, files: tuple[Path, ...]) -> None:
    for file in files:
        from xaibench.core.registry import load_plugin_file

        load_plugin_file(file)


plugin_option = click.option(
    "--plugin",
    multiple=True,
    type=Path,
    metavar="FILE",
    callback=_load,
    expose_value=False,
    help="Python file with plugins",
)
"""Loads the plugins of files before the command begins."""


def text_option(
    name: str, metavar: str, text: str, complete: "Completer | None" = None
) -> Callable[[Command], Command]:
    """Give a command an option that is a text, empty where it isn't given."""
    return click.option(name, default="", metavar=metavar, help=text, shell_complete=complete)


def choice_option(name: str, choices: Sequence[str], text: str) -> Callable[[Command], Command]:
    """Give a command an option that is one of some words, None where it isn't given."""
    return click.option(name, type=click.Choice(choices), help=text)


def given_ones(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given; for the others click hands over None or nothing."""
    return {name: value for name, value in options.items() if value not in (None, ())}


def end_with(failures: Iterable[str]) -> None:
    """Name what failed while the rest went on, and end with a code that says so."""
    lines = [f"failed: {what}" for what in failures]
    for line in lines:
        click.echo(visible(line, lines=False), err=True)
    if lines:
        raise SystemExit(Exit.FAILED)


def command_line() -> str:
    """Return what was typed, so that it can be repeated."""
    return visible(shlex.join(["xaibench", *sys.argv[1:]]), lines=False)
