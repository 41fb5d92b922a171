"""``xaibench fetch``."""

import inspect

import click

from xaibench.commands.complete import one_of
from xaibench.commands.help import command
from xaibench.commands.options import say, verbosity_options
from xaibench.core.errors import XaibenchError


@command(
    "xaibench fetch busi",
    'xaibench fetch "voc[sbd=true]" --data-root data',
)
@verbosity_options
@click.argument("name", shell_complete=one_of("dataset"))
@click.option("--data-root", default="", metavar="DIR", help="where to put it")
def fetch(name: str, data_root: str) -> None:
    """Download a dataset from its authors, and verify it.

    Options that download more are part of its name: 'voc[sbd=true]'.
    """
    from xaibench.core.registry import bind
    from xaibench.core.roots import data_roots, open_dataset

    named = bind("dataset", name)
    plugin = named.plugin
    load = plugin.traits.fetch
    takes = [] if load is None else list(inspect.signature(load).parameters)[1:]
    if others := sorted(set(named.options) - set(takes)):
        few = f" with no option but {', '.join(takes)}" if takes else " alone"
        raise XaibenchError(
            f"fetch {named.spec}: name the dataset{few}, {plugin.name}; {', '.join(others)} "
            "chooses from what lies there, and what can't be fetched says so when it is opened."
        )
    if load is None:
        open_dataset(named, data_root)  # where it isn't there, this says how to get it
        raise XaibenchError(f"dataset {plugin.name} needs no download: it is there.")
    say(f"{named.spec} is complete in {load(data_roots(data_root)[0], **named.options)}")
