"""Set our figures beside those that reports and papers printed.

    python benchmarks/reported [FOLDER ...]

Reads ``results/published/reported.csv``, computes its columns ``low``, ``high`` and ``attainable``,
finds the suites' runs in ``results/published`` and in the folders named, and writes
``reported.csv`` and ``reported.md``. The same input gives the same bytes.
"""

from pathlib import Path

import click
from entries import as_csv, read_entries
from page import write_page
from verdicts import find_runs, judge

from xaibench.core.errors import XaibenchError

_PUBLISHED = Path(__file__).parents[2] / "results" / "published"


@click.command()
@click.argument("folders", nargs=-1, type=Path)
@click.option("--published", type=Path, default=_PUBLISHED, help="has reported.csv, gets the page")
def main(folders: tuple[Path, ...], published: Path) -> None:
    """Write the page of reported figures; FOLDERS hold runs beside the published ones."""
    try:
        entries = read_entries(published / "reported.csv")
        runs = find_runs([published, *folders])
    except XaibenchError as error:
        raise click.ClickException(str(error)) from error
    page = write_page(entries, [judge(entry, runs) for entry in entries])
    (published / "reported.csv").write_text(as_csv(entries), "utf-8")
    (published / "reported.md").write_text(page, "utf-8")
    click.echo(f"written to {published}: reported.md, reported.csv")


if __name__ == "__main__":
    main()
