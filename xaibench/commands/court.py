"""``xaibench court``."""

from pathlib import Path

import click

from xaibench.commands.help import command
from xaibench.commands.options import plugin_option, say, text_option, verbosity_options


@command("xaibench court", "xaibench court --metrics iou,insertion --seeds 2")
@verbosity_options
@text_option("--metrics", "NAMES", "comma-separated; default all")
@click.option("--images", type=click.IntRange(min=4), default=32, show_default=True,
              help="phantoms of each seed")  # fmt: skip
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True,
              help="how many times phantoms are drawn")  # fmt: skip
@click.option("--out", type=Path, metavar="FILE", help="write a CSV, too")
@plugin_option
def court(metrics: str | None, images: int, seeds: int, out: Path | None) -> None:
    """Try metrics on networks whose rule is planted: do they rank maps by what a network uses?

    Printed for each metric: Somers' D given the known order of maps, for networks that use the
    lesion, a marker beside it (a shortcut), both, and neither; the verdict; and the share of
    bootstrap draws of the phantoms, over all seeds, that have the same verdict.
    """
    from functools import partial

    import pandas as pd

    from xaibench.core.csv_cells import to_csv
    from xaibench.core.registry import bind, plugins
    from xaibench.core.spec import split_list
    from xaibench.core.store import write_with
    from xaibench.diagnostics.court import COLUMNS
    from xaibench.diagnostics.court import court as judge_metrics

    names = split_list(metrics) if metrics else list(plugins("metric"))
    lines = []
    tried = [bind("metric", name) for name in names]
    for line in judge_metrics(tried, images=images, seeds=range(seeds)):
        lines.append(line)
        told = "".join(f"{line[column]:>9}" for column in COLUMNS[1:-2])
        say(f"{line['metric']:28}{told}  {line['verdict']} ({line['same_verdict']:.0%})")
    if out:
        write_with(out, partial(to_csv, pd.DataFrame(lines, columns=COLUMNS)))
