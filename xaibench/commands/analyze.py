"""``xaibench analyze``."""

from dataclasses import fields
from typing import Any

import click

from xaibench.commands.complete import some_of
from xaibench.commands.help import command
from xaibench.commands.options import command_line, end_with, given_ones, say, verbosity_options
from xaibench.commands.run import run_options, show_if_changed
from xaibench.core.logs import logged_to
from xaibench.setup.option_values import listed
from xaibench.setup.options import RunOptions

# What explaining alone needs, and what has a shorter name here.
_ELSEWHERE = frozenset({
    "methods", "metrics", "controls", "judge", "target", "layer", "precision", "fold", "compile",
    "models", "analyses",
})  # fmt: skip
_OPTIONS = [field.name for field in fields(RunOptions) if field.name not in _ELSEWHERE]


@command(
    "xaibench analyze --dataset chest_xray --model squeezenet1_1 --analysis knn,pca,tsne",
    'xaibench analyze --dataset chest_xray --model "vae[healthy=normal]" --analysis anomaly',
)
@verbosity_options
@click.option(
    "--model",
    "models",
    metavar="A,B",
    shell_complete=some_of("model"),
    help="networks; default as for `xaibench run`",
)
@click.option(
    "--analysis",
    "analyses",
    metavar="A,B",
    required=True,
    shell_complete=some_of("analysis"),
    help="`xaibench list analyses` shows all",
)
@run_options(*_OPTIONS)
def analyze(models: str | None, analyses: str, **given: Any) -> None:
    """Look at what trained networks make of the images: PCA, t-SNE, neighbors, anomalies.

    Trains the networks, or takes those that a run with the same options left in --out, and writes
    analyses.csv, leaderboard.md, and figures below analyses/.
    """
    from xaibench.running.describe_plan import describe_plan
    from xaibench.running.plan import make_plan
    from xaibench.running.run import run_plan
    from xaibench.setup.selection import select

    chosen = given_ones(given)
    chosen |= {"models": listed(models)} if models else {}
    alone = {"methods": (), "metrics": (), "controls": False, "analyses": listed(analyses)}
    selection = select({**chosen, **alone})
    plan = make_plan(selection)
    for line in describe_plan(selection, plan):
        say(line)
    with logged_to(selection.layout.out, command_line()):
        outcome = run_plan(selection, plan, command_line())
        if not outcome.has_no_results:
            show_if_changed(outcome.out)
    end_with(f"{analysis}: {error}" for analysis, error in outcome.failures.items())
