"""What several commands share: options, and how they pass on what was typed."""

import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

_FAILED = 3


def _load(_context: click.Context, _option: click.Parameter, files: tuple[Path, ...]) -> None:
    from xaibench.core.registry import load_plugin_file

    for file in files:
        load_plugin_file(file)


plugin_option = click.option("--plugin", multiple=True, type=Path, metavar="FILE", callback=_load,
                             expose_value=False, help="Python file with plugins")  # fmt: skip
"""Loads the plugins of files before the command begins."""


def given_ones(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given; for the others click hands over None or nothing."""
    return {name: value for name, value in options.items() if value not in (None, ())}


def end_with(failures: Iterable[str]) -> None:
    """Name what failed while the rest went on, and end with a code that says so."""
    lines = [f"failed: {what}" for what in failures]
    for line in lines:
        click.echo(line, err=True)
    if lines:
        raise SystemExit(_FAILED)


def command_line() -> str:
    """Return what was typed, so that it can be repeated."""
    return shlex.join(["xaibench", *sys.argv[1:]])
