"""``xaibench list``: what there is."""

import click
from click.core import ParameterSource

from xaibench.commands.complete import EXTENSIONS
from xaibench.commands.help import command
from xaibench.commands.listed import recall_listed, register_listed
from xaibench.commands.options import plugin_option
from xaibench.core.contract import KINDS, plural
from xaibench.core.visible import visible

_KINDS = {plural(kind): kind for kind in KINDS}


@command(
    "xaibench list",
    "xaibench list methods",
    name="list",
)
@click.argument("kind", type=click.Choice([*_KINDS, *EXTENSIONS]), required=False)
@plugin_option
@click.pass_context
def list_plugins(context: click.Context, kind: str | None) -> None:
    """Show all datasets, models, methods, metrics and analyses, with their options.

    Callbacks and executors, too: where their code lies, which may need a library.
    """
    own_files = context.get_parameter_source("plugin") is not ParameterSource.DEFAULT
    for each in [kind] if kind else [*_KINDS, *EXTENSIONS]:
        click.secho(each, bold=True)
        if each in EXTENSIONS:
            for name, entry in EXTENSIONS[each].known.items():
                click.echo(f"  {name:24}{entry.value}")
        else:
            _show(_KINDS[each], own_files=own_files)


def _show(kind: str, *, own_files: bool) -> None:
    from xaibench.report.facts.court import in_court

    known = None if own_files else recall_listed(kind)
    for each in register_listed(kind) if known is None else known:
        click.echo(visible(f"  {each.title:24}{each.summary}"))
        if each.options:
            click.echo(f"  {'':24}{each.options}")
        if kind == "metric" and (verdict := in_court(each.name)):
            click.echo(f"  {'':24}court: {verdict}")
