"""``xaibench power``."""

from pathlib import Path

import click

from xaibench.commands.help import command
from xaibench.commands.options import say, text_option, verbosity_options


@command(
    "xaibench power --dataset busi --difference 0.03",
    "xaibench power --images 200 --difference 0.05 --run results/busi",
)
@verbosity_options
@text_option("--dataset", "NAME", "its images are counted; or give --images")
@click.option(
    "--difference",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    metavar="D",
    help="difference of two rows' means that is to be found",
)
@click.option(
    "--run",
    "run_folder",
    type=Path,
    metavar="DIR",
    help="finished run whose variance components count; default those of the published BUSI run",
)
@text_option("--metric", "NAME", "of --run; default its primary one")
@click.option(
    "--images", type=click.IntRange(min=10), metavar="N", help="independent images with a score"
)
@click.option(
    "--power",
    "chance",
    type=click.FloatRange(0.5, 0.99),
    default=0.8,
    show_default=True,
    help="chance of finding the difference",
)
@click.option(
    "--level",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    show_default=True,
    help="of the two-sided test of one pair",
)
def power(
    dataset: str,
    difference: float,
    run_folder: Path | None,
    metric: str,
    images: int | None,
    chance: float,
    level: float,
) -> None:
    """Say how many images, folds and seeds it takes to find a difference.

    The designs are simulated with the variance components of a finished run: images, trainings and
    training sets. The smallest difference that each finds is given twice: for new test images, and
    for new training sets, too.
    """
    from xaibench.report.power import plan_power, power_to_text

    found = plan_power(dataset, run_folder, metric, images, power=chance, level=level)
    say(power_to_text(found, difference, power=chance, level=level))
