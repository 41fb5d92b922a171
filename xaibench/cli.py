"""The command line: it parses, calls, prints; what happens lies elsewhere."""

import click

from xaibench import __version__
from xaibench.commands.analyse import analyse
from xaibench.commands.audit import audit
from xaibench.commands.compare import compare
from xaibench.commands.data import fetch
from xaibench.commands.diagnose import diagnose
from xaibench.commands.explain import explain
from xaibench.commands.plugins import check, layers, list_plugins, metrics
from xaibench.commands.run import report, run
from xaibench.commands.score import score
from xaibench.commands.study import study
from xaibench.core.errors import XaibenchError

_USER_ERROR, _STOPPED = 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def cli() -> None:
    """Benchmark saliency methods: train, explain, score, compare."""


for _command in (run, report, analyse, explain, score, compare, diagnose, study, list_plugins,
                 metrics, check, layers, audit, fetch):  # fmt: skip
    cli.add_command(_command)


def main() -> None:
    """Run the command line; a user's mistake is one message and exit code 2, never a traceback."""
    try:
        raise SystemExit(cli(standalone_mode=False))
    except XaibenchError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(_USER_ERROR) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (click.Abort, RuntimeError) as error:
        # torch.save turns an interruption into an error of its own.
        if not isinstance(error, click.Abort) and not _interrupted(error):
            raise
        click.echo("stopped; the same command goes on from here.", err=True)
        raise SystemExit(_STOPPED) from None


def _interrupted(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
