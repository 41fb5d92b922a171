"""``xaibench site``."""

from pathlib import Path

import click

from xaibench.commands.help import command
from xaibench.commands.options import say, verbosity_options


@command("xaibench site results", "xaibench site results/busi results/digits --out boards")
@verbosity_options
@click.argument("results", nargs=-1, required=True, type=Path, metavar="RESULTS...")
@click.option(
    "--out", type=Path, default=Path("site"), metavar="DIR", help="the site's folder; default site"
)
def site(results: tuple[Path, ...], out: Path) -> None:
    """Build a static site of finished runs: an index, a page for each board, downloads.

    RESULTS are folders of runs, studies or publications, or folders that hold such. A publication
    (`xaibench publish`) is shown as it is stored, in seconds; other runs are published first. The
    site needs no server: open its index.html.
    """
    from xaibench.report.site import build_site
    from xaibench.report.site_pages import INDEX

    names = build_site(results, out)
    say(f"written to {out / INDEX}: {len(names)} boards and studies")
