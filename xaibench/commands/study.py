"""``xaibench study``."""

from typing import Any

import click

from xaibench.commands.help import command
from xaibench.commands.options import command_line, end_with, given_ones, say, verbosity_options
from xaibench.commands.run import duration, run_options, show_study
from xaibench.core.logs import logged_to


@command(
    "xaibench study mask-fraction --values 0,0.25,1 --dataset busi",
    "xaibench study supervision --dataset busi --dry-run",
)
@verbosity_options
@click.argument("name")
@click.option("--values", default="", metavar="A,B", help="levels to compare; default all")
@click.option(
    "--effort",
    default="",
    metavar="UNIT=SECONDS,...",
    help="of study supervision: seconds for a unit of annotation, where label=1, point=2.4, box=7 "
    "and mask=79 don't fit",
)
@run_options()
@click.option("--dry-run", is_flag=True, help="print the plans and do nothing")
def study(name: str, values: str, effort: str, *, dry_run: bool, **given: Any) -> None:
    """Compare runs that differ in one thing, and say what that thing brings.

    mask-fraction: the share of training masks that a saliency-aware network sees, against a
    baseline that sees none.

    supervision: what annotation buys: rows by their minutes of annotation, the Pareto front, and
    from how many masks on learned saliency overtakes post-hoc methods.

    dataset-size: the share of the training images that all models learn from.

    loss: localization loss x upsampling mode x depth of a saliency-aware network, and the
    artifacts in its maps; --values takes levels of any of the three, the first is the reference.

    filters: the filters in the layers of a small network.

    recipe: one option of training, such as --values augmentation=none,horizontal_flip,
    --values batch=8,32 or --values optimizer=adamw,sgd; what belongs together is joined by +.

    roar: the share of the pixels that is removed where a method ranks them highest, before networks
    are trained anew; chance and edges are the floors.

    All options of `xaibench run` hold for every run. The same command again does only what is
    missing. Writes study.md, study.csv, study.json, study.png and study.svg; supervision also
    writes frontier.csv, budgets.csv, frontier.png and frontier.svg. Each run has its own folder.
    """
    from xaibench.core.spec import split_list
    from xaibench.studies.run import describe_study, estimate, plan_study, run_study

    chosen = given_ones(given)
    planned = plan_study(name, split_list(values), chosen, effort, timed=dry_run)
    for line in describe_study(planned):
        say(line)
    if dry_run:
        say(f"estimated time: {duration(estimate(planned))}")
        return
    with logged_to(planned.out, command_line()):
        outcome = run_study(planned, command_line())
    show_study(outcome.out, outcome.answers)
    end_with(f"{what}: {error}" for what, error in outcome.failures.items())
