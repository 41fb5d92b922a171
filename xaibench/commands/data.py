"""``xaibench fetch``."""

import click

from xaibench.core.errors import XaibenchError


@click.command()
@click.argument("name")
@click.option("--data-root", default="", metavar="DIR", help="where to put it")
def fetch(name: str, data_root: str) -> None:
    """Download a dataset from its authors, and verify it."""
    from xaibench.core.registry import bind
    from xaibench.core.roots import data_roots

    plugin = bind("dataset", name).plugin
    if plugin.traits.fetch is None:
        raise XaibenchError(
            f"dataset {plugin.name} needs no download, or has none without an account; `xaibench "
            f"check {plugin.name}` says where to get it."
        )
    click.echo(f"{plugin.name} is complete in {plugin.traits.fetch(data_roots(data_root)[0])}")
