"""Write the pages of ``docs/`` that come from the code: the reference and the picture of the house.

    python docs/generator [--check]

The same code gives the same bytes; ``--check`` writes nothing and fails where a page is stale.
"""

from pathlib import Path

import click
from all_pages import make_pages, stale_pages

_DOCS = Path(__file__).parents[1]


@click.command()
@click.option("--check", is_flag=True, help="write nothing; exit code 1 where a page is stale")
def main(check: bool) -> None:
    """Write docs/reference/*.md and docs/house.svg from the registry, click and the imports."""
    pages = make_pages()
    stale = stale_pages(_DOCS, pages)
    if check and stale:
        raise click.ClickException(
            f"stale: {', '.join(stale)}; run `python docs/generator` and commit what it writes."
        )
    for name in stale:
        path = _DOCS / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(pages[name], "utf-8")
        click.echo(f"written: docs/{name}")
    click.echo(f"{len(pages)} generated pages are fresh")


if __name__ == "__main__":
    main()
