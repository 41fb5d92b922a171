"""Measure xaibench against its peers, side by side in one process.

    python benchmarks/speed --out results/speed

Everything runs on the same model, images and threads: the contenders of one work take turns, the
median of several rounds counts, and the same run checks that their maps agree. Written are
`speed.md` and `speed.csv` with seconds per image, the ratio to each peer, peak memory, and the
share of the machine's own limit: the passes' floating point operations over the rate of the fastest
matrix product found in the same run.

Needs `pip install '.[benchmark]'`; Quantus lives in an environment of its own, as it brings
another OpenCV, and is asked with `--quantus PYTHON`.
"""

import logging
from pathlib import Path
from typing import Any

import click
from contest import Setting, Table, prepare
from works import WORKS


@click.command()
@click.option("--network", default="resnet50", help="a model of xaibench")
@click.option("--weights", default="none", help="'none' (random, batch norms calibrated) or a file")
@click.option("--image-size", default=224)
@click.option("--batch", default=16, help="images explained at once")
@click.option("--rounds", default=5, help="of which the median counts; long works take fewer")
@click.option("--works", default=",".join(WORKS), help="which to run")
@click.option("--data-root", default="", help="where BUSI lies; without it images are noise")
@click.option("--quantus", default="", metavar="PYTHON", help="interpreter that has Quantus")
@click.option(
    "--allocator",
    type=click.Choice(["their", "our"]),
    default="their",
    help="the peers' setting: as their users have it, or the one that xaibench makes",
)
@click.option("--out", type=Path, default=Path("results/speed"))
def main(works: str, out: Path, **given: Any) -> None:
    """Run the contest and write its table."""
    logging.getLogger("xaibench").setLevel("ERROR")
    setting = prepare(Setting(**given))
    table = Table(setting, out)
    for name in works.split(","):
        for contest in WORKS[name](setting):
            table.add(contest.run(setting))
    click.echo(f"written to {out}: speed.md, speed.csv")


main()
