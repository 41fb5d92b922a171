"""The command line: it parses, calls, prints; what happens lies elsewhere."""

import io
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from xaibench import __version__
from xaibench.commands.exits import Exit, epilog
from xaibench.commands.mistakes import Commands, in_one_line
from xaibench.commands.table import COMMANDS, PROGRAM, VARIABLE
from xaibench.commands.verbosity import Verbosity
from xaibench.core.errors import XaibenchError
from xaibench.core.visible import visible

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


@click.group(
    cls=Commands,
    table=COMMANDS,
    context_settings=_SETTINGS,
    epilog=epilog(),
    no_args_is_help=False,
    invoke_without_command=True,
)
@click.version_option(__version__)
@click.pass_context
def cli(context: click.Context) -> None:
    """Benchmark saliency methods: train, explain, score, compare."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """Run the command line; whatever goes wrong is one line, and an exit code of `Exit`."""
    _replace_what_cannot_be_written()
    verbosity = Verbosity()
    try:
        with _terminated_like_interrupted():
            code = cli.main(
                prog_name=PROGRAM, complete_var=VARIABLE, standalone_mode=False, obj=verbosity
            )
    except (XaibenchError, click.ClickException) as error:
        _end(Exit.MISTAKE, f"error: {in_one_line(error)}")
    except (click.Abort, KeyboardInterrupt, Exception) as error:
        from xaibench.core.logs import interruption_of

        found = interruption_of(error)
        if found is None and not isinstance(error, click.Abort):
            if verbosity.verbose:
                import traceback

                click.echo(visible("".join(traceback.format_exception(error))), err=True)
            _end(Exit.FAULT, _describe(error))
        stopped = Exit.TERMINATED if isinstance(found, _TerminatedError) else Exit.STOPPED
        _end(stopped, "stopped; the same command goes on from here.")
    raise SystemExit(code)


_plainly = warnings.formatwarning


def _replace_what_cannot_be_written() -> None:
    """Let no letter of a warning act on a terminal, nor one that its encoding lacks end a run."""
    warnings.formatwarning = lambda *told, **more: visible(_plainly(*told, **more))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _end(code: Exit, line: str) -> NoReturn:
    click.echo(line, err=True)
    raise SystemExit(code) from None


def _describe(error: BaseException) -> str:
    from xaibench.core.logs import place_of

    said = visible(" ".join(f"{type(error).__name__}: {error}".split()), lines=False)
    where = place_of(error) or "the same with --verbose shows the traceback"
    return f"unexpected error: {said}; {where}; please report it."


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    def stop(*_: Any) -> NoReturn:
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
