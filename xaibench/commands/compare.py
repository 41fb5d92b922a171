"""``xaibench compare``."""

from pathlib import Path

import click

from xaibench.commands.help import command
from xaibench.commands.options import command_line, say, verbosity_options


@command(
    "xaibench compare results/busi-cluster results/busi-laptop",
    "xaibench compare results/seed0 results/seed1 --out results/both",
)
@verbosity_options
@click.argument("runs", nargs=-1, required=True, type=Path, metavar="RUN RUN ...")
@click.option(
    "--out",
    type=Path,
    default=Path("results/comparison"),
    metavar="DIR",
    show_default=True,
    help="where to put the common board",
)
def compare(runs: tuple[Path, ...], out: Path) -> None:
    """Put runs of one protocol on one board, or say what differs.

    Each RUN is a folder of `xaibench run`, `score` or `compare`. Runs with different training seeds
    count as more seeds; other datasets become other parts of the board.
    """
    from xaibench.report.merge import merge_runs, write_merged
    from xaibench.report.wording.terminal import summary

    merged = merge_runs(runs, command_line())
    say(summary(write_merged(merged, out)), styled=True)
    for warning in merged.run.warnings:
        say(f"note: {warning}", err=True)
    say(f"written to {out}: report.html, leaderboard.md, leaderboard.csv, slices.csv, ...")
