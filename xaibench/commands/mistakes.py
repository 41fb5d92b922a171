"""A user's mistake in one line with a remedy, whoever noticed it."""

import os
import sys
from typing import Any

import click

from xaibench.commands.exits import Exit
from xaibench.core.suggest import did_you_mean
from xaibench.core.visible import visible

_OTHER_NAMES = {"analyse": "analyze"}


class Commands(click.Group):
    """A group that suggests the nearest command, and falls silent when its reader leaves."""

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
            hint = did_you_mean(name, self.commands)
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
