"""``xaibench publish``."""

from pathlib import Path

import click

from xaibench.commands.help import command
from xaibench.commands.options import say, verbosity_options


@command(
    "xaibench publish results/busi published/busi",
    "xaibench publish results/study-seeds published/seeds",
)
@verbosity_options
@click.argument("source", type=Path, metavar="RUN")
@click.argument("out", type=Path, metavar="DIR")
def publish(source: Path, out: Path) -> None:
    """Copy what a run found: scores, tables, figures; no weights, no maps, no paths.

    RUN is a finished run's folder, or a study's. The copy in DIR is small enough for a repository
    or a supplement: large tables are compressed, and `xaibench report DIR` writes every table of it
    again from them. `xaibench compare` takes it like a run.
    """
    from xaibench.report.publish import publish as copy

    copy(source, out)
    say(f"written to {out}: leaderboard.md, leaderboard.csv, scores, figures, run.json, ...")
