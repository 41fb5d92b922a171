"""``xaibench fetch``."""

import click

from xaibench.commands.complete import one_of
from xaibench.commands.help import command
from xaibench.commands.options import say, verbosity_options
from xaibench.core.errors import XaibenchError


@command(
    "xaibench fetch busi",
    'xaibench fetch "cub[year=2010]" --data-root data',
)
@verbosity_options
@click.argument("name", shell_complete=one_of("dataset"))
@click.option("--data-root", default="", metavar="DIR", help="where to put it")
def fetch(name: str, data_root: str) -> None:
    """Download a dataset from its authors, and verify it."""
    from xaibench.core.registry import bind
    from xaibench.core.roots import data_roots, open_dataset

    named = bind("dataset", name)
    plugin = named.plugin
    if named.options:
        raise XaibenchError(
            f"fetch {named.spec}: name the dataset alone, {plugin.name}; options choose from what "
            "lies there, and an edition that can't be fetched says so when it is opened."
        )
    if plugin.traits.fetch is None:
        open_dataset(named, data_root)  # where it isn't there, this says how to get it
        raise XaibenchError(f"dataset {plugin.name} needs no download: it is there.")
    say(f"{plugin.name} is complete in {plugin.traits.fetch(data_roots(data_root)[0])}")
