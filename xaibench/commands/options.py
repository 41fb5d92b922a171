"""Options that several commands share."""

from pathlib import Path

import click


def _load(_context: click.Context, _option: click.Parameter, files: tuple[Path, ...]) -> None:
    from xaibench.core.registry import load_plugin_file

    for file in files:
        load_plugin_file(file)


plugin_option = click.option("--plugin", multiple=True, type=Path, metavar="FILE", callback=_load,
                             expose_value=False, help="Python file with plugins")  # fmt: skip
"""Loads the plugins of files before the command begins."""
