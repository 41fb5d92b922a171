"""The command line: it parses, calls, prints; what happens lies elsewhere."""

import shlex
import sys
import typing
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import click

from xaibench import __version__
from xaibench.core.errors import XaibenchError
from xaibench.pipeline.options import RunOptions, read_suite

_BROKEN_RULES, _USER_ERROR, _FAILED_CELLS, _STOPPED = 1, 2, 3, 130
_KINDS = ("datasets", "models", "methods", "metrics")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def cli() -> None:
    """Benchmark saliency methods: train, explain, score, compare."""


def _click_type(kind: Any) -> Any:
    if typing.get_origin(kind) is Literal:
        return click.Choice(typing.get_args(kind))
    return str if typing.get_origin(kind) is tuple else kind


def _metavar(name: str, kind: Any) -> str | None:
    if typing.get_origin(kind) is Literal:
        return None
    if typing.get_origin(kind) is tuple:
        return "A,B"
    return "DIR" if name in ("out", "data_root") else None


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each field of `RunOptions`."""
    types = typing.get_type_hints(RunOptions)
    for item in reversed(fields(RunOptions)):
        name = "--" + item.name.replace("_", "-")
        kind, text = types[item.name], item.metadata["help"]
        if kind is bool:
            option = click.option(f"{name}/--no-{name[2:]}", default=None, help=text)
        elif item.name == "plugin":
            option = click.option(name, multiple=True, metavar="FILE", help=text)
        else:
            option = click.option(name, default=None, type=_click_type(kind),
                                  metavar=_metavar(item.name, kind), help=text)  # fmt: skip
        command = option(command)
    return command


@cli.command()
@run_options
@click.option("--suite", type=Path, metavar="FILE.toml", help="read options from a TOML file")
@click.option("--dry-run", is_flag=True, help="print the plan and do nothing")
def run(suite: Path | None, dry_run: bool, **given: Any) -> None:
    """Train, explain and score; the same command again does only what is missing.

    Without a dataset the embedded phantom runs, with small networks, in a few minutes.
    """
    from xaibench.core.progress import log_to_terminal
    from xaibench.pipeline.plan import describe_plan, estimate_seconds, make_plan
    from xaibench.pipeline.run import run_plan
    from xaibench.pipeline.selection import select

    log_to_terminal()
    chosen = {name: value for name, value in given.items() if value not in (None, ())}
    selection = select({**(read_suite(suite) if suite else {}), **chosen})
    plan = make_plan(selection)
    for line in describe_plan(selection, plan):
        click.echo(line)
    if dry_run:
        click.echo(f"estimated time: {_duration(estimate_seconds(selection, plan))}")
        return
    outcome = run_plan(selection, plan, f"xaibench {shlex.join(sys.argv[1:])}")
    _show(outcome.out)
    for cell, error in outcome.failures.items():
        click.echo(f"failed: {cell}: {error}", err=True)
    if outcome.failures:
        raise SystemExit(_FAILED_CELLS)


@cli.command(name="list")
@click.argument("kind", type=click.Choice(_KINDS), required=False)
@click.option("--plugin", multiple=True, type=Path, metavar="FILE", help="Python file with plugins")
def list_plugins(kind: str | None, plugin: tuple[Path, ...]) -> None:
    """Show all datasets, models, methods and metrics, with their options."""
    from xaibench.core.registry import load_plugin_file, plugins

    for file in plugin:
        load_plugin_file(file)
    for each in [kind] if kind else _KINDS:
        click.secho(each, bold=True)
        for known in plugins(each.removesuffix("s")).values():
            click.echo(f"  {known.name:24}{known.summary}")
            if known.signature.options:
                click.echo(f"  {'':24}{known.defaults}")


@cli.command()
@click.argument("target", metavar="PLUGIN")
@click.option("--kind", type=click.Choice([kind.removesuffix("s") for kind in _KINDS]),
              help="where several have that name, or only these plugins of a file")  # fmt: skip
@click.option("--plugin", multiple=True, type=Path, metavar="FILE", help="Python file with plugins")
def check(target: str, kind: str | None, plugin: tuple[Path, ...]) -> None:
    """Try a plugin against every rule of the contract, and measure what it costs.

    PLUGIN is a Python file, whose plugins are all tried, or a name with options, such as
    'occlusion[window=15]'. Where a rule is broken the exit code is 1.
    """
    from xaibench.checks.run import check_plugin, find
    from xaibench.core.registry import load_plugin_file

    for file in plugin:
        load_plugin_file(file)
    broken = 0
    for each in find(target, kind):
        outcome = check_plugin(each)
        click.echo("\n".join(outcome.lines()))
        broken += outcome.broken
    click.echo(f"{broken or 'no'} rule{'' if broken == 1 else 's'} broken")
    raise SystemExit(_BROKEN_RULES if broken else 0)


@cli.command()
@click.argument("model")
@click.option("--image-size", default=224, help="side of the images")
@click.option("--layer", default="", help="look at this one")
@click.option("--plugin", multiple=True, type=Path, metavar="FILE", help="Python file with plugins")
def layers(model: str, image_size: int, layer: str, plugin: tuple[Path, ...]) -> None:
    """Show which layer CAMs read in a model, and which others --layer could name.

    MODEL is one of `xaibench list models`, with options, or any classification network of
    torchvision.
    """
    from xaibench.core.registry import load_plugin_file
    from xaibench.pipeline.layers import describe_layers

    for file in plugin:
        load_plugin_file(file)
    for line in describe_layers(model, image_size, layer):
        click.echo(line)


@cli.command()
@click.argument("name")
@click.option("--data-root", default="", metavar="DIR", help="where to put it")
def fetch(name: str, data_root: str) -> None:
    """Download a dataset from its authors, and verify it."""
    from xaibench.core.registry import bind
    from xaibench.core.roots import data_roots

    plugin = bind("dataset", name).plugin
    if plugin.traits.fetch is None:
        raise XaibenchError(f"dataset {plugin.name} needs no download, or has no address for one.")
    click.echo(f"{plugin.name} is complete in {plugin.traits.fetch(data_roots(data_root)[0])}")


@cli.command()
@click.argument("directory", type=Path)
def report(directory: Path) -> None:
    """Write a run's tables and pictures again."""
    _show(directory)


def _show(out: Path) -> None:
    from xaibench.core.store import read_json
    from xaibench.report.terminal import print_board
    from xaibench.report.write import write_report

    print_board(write_report(out), read_json(out / "run.json"))
    click.echo(f"written to {out}: leaderboard.md, scores.csv, classification.csv, grid.png, ...")


def main() -> None:
    """Run the command line; a user's mistake is one message and exit code 2, never a traceback."""
    try:
        raise SystemExit(cli(standalone_mode=False))
    except XaibenchError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(_USER_ERROR) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (click.Abort, RuntimeError) as error:
        # torch.save turns an interruption into an error of its own.
        if not isinstance(error, click.Abort) and not _interrupted(error):
            raise
        click.echo("stopped; the same command goes on from here.", err=True)
        raise SystemExit(_STOPPED) from None


def _interrupted(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _duration(seconds: float) -> str:
    minutes, hour = seconds / 60, 60
    if minutes < 1:
        return "under a minute"
    return f"{minutes:.0f} minutes" if minutes < 2 * hour else f"{minutes / hour:.1f} hours"
