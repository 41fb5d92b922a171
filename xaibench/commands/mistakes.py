"""A user's mistake in one line with a remedy, whoever noticed it."""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from xaibench.commands.exits import Exit
from xaibench.commands.table import TableEntry
from xaibench.core.suggest import did_you_mean
from xaibench.core.visible import visible

_OTHER_NAMES = {"analyse": "analyze"}


class Commands(click.Group):
    """A group that suggests the nearest command, and falls silent when its reader leaves.

    Only the command that is asked for is imported.
    """

    def __init__(self, *given: Any, table: Mapping[str, TableEntry], **more: Any) -> None:
        super().__init__(*given, **more)
        self._table = table

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names, in the order of help."""
        return sorted(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is none of that name."""
        if cmd_name not in self._table:
            return super().get_command(ctx, cmd_name)
        module, _, name = self._table[cmd_name].place.partition(":")
        command: click.Command = getattr(import_module(f"{__package__}.{module}"), name)
        return command

    def load_all(self) -> dict[str, click.Command]:
        """Import every command, in the order of the pages."""
        context = click.Context(self)
        found = {name: self.get_command(context, name) for name in self._table}
        return {name: command for name, command in found.items() if command is not None}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what there is."""
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (
                        name,
                        click.Command(name, help=self._table[name].what).get_short_help_str(limit),
                    )
                    for name in names
                ]
            )

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # At its end Python would complain of what it can't write any more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(Exit.PIPE) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command by its name."""
        name, *rest = args
        name = _OTHER_NAMES.get(name, name)
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            hint = did_you_mean(name, self._table)
            raise click.UsageError(f"there is no command '{name}'{hint}", ctx)
        return super().resolve_command(ctx, [name, *rest])


def in_one_line(error: Exception) -> str:
    r"""Return what a user reads of a mistake; click's own words get a remedy.

    >>> in_one_line(click.BadParameter("'a' is no\n number.", param_hint="--n"))
    "invalid value for --n: 'a' is no number."
    """
    if not isinstance(error, click.ClickException):
        return visible(str(error), lines=False)
    text = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.NoSuchOption):
        known = context.command.params if context else []
        names = [name for option in known for name in (*option.opts, *option.secondary_opts)]
        text = f"there is no option {error.option_name}{did_you_mean(error.option_name, names)}"
    text = visible(" ".join(text.split()), lines=False)
    text = text[:1].lower() + text[1:]
    if context is None:
        return text
    return f"{text.rstrip('.')}; `{context.command_path} --help` shows what there is."
