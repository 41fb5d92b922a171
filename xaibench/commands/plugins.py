"""``xaibench metrics``, ``check`` and ``layers``: what plugins are, and if they are sound."""

import textwrap
from pathlib import Path

import click

from xaibench.commands.complete import any_plugin, one_of
from xaibench.commands.exits import Exit
from xaibench.commands.help import command
from xaibench.commands.options import plugin_option
from xaibench.core.contract import KINDS
from xaibench.core.visible import visible

_WIDTH = 100

_classes = click.option("--classes", type=click.IntRange(min=1), metavar="K",
                        help="number of classes, where a model's weights fix it")  # fmt: skip


@command(
    "xaibench metrics",
    'xaibench metrics "iou[of=otsu]"',
)
@click.argument("name", required=False, shell_complete=one_of("metric"))
@plugin_option
def metrics(name: str | None) -> None:
    """Show what each metric measures, or the whole definition of one.

    NAME may have options, such as 'iou[threshold=0.3]'.
    """
    from xaibench.core.definition import define
    from xaibench.core.registry import bind, plugins
    from xaibench.explaining.trial import try_metric
    from xaibench.report.facts.court import in_court
    from xaibench.report.facts.traits import FAMILIES

    if name:
        metric = bind("metric", name)
        try_metric(metric)
        click.secho(metric.spec, bold=True)
        verdict = in_court(metric.spec)
        _lay_out(define(metric) | ({"court": verdict} if verdict else {}))
        return
    known = [bind("metric", each) for each in plugins("metric")]
    for family in FAMILIES:
        click.secho(family, bold=True)
        for each in known:
            if each.plugin.traits.family == family:
                arrow = "↑" if each.higher_is_better else "↓"
                click.echo(f"  {each.spec:24}{arrow} {each.plugin.summary}")


def _lay_out(entries: dict[str, str]) -> None:
    margin = max(map(len, entries)) + 4
    for name, text in entries.items():
        start = f"  {name}"
        for line in text.split("\n"):
            click.echo(textwrap.fill(line, _WIDTH, initial_indent=start.ljust(margin),
                                     subsequent_indent=" " * margin))  # fmt: skip
            start = ""


@command(
    "xaibench check gradcam",
    "xaibench check my_method.py",
)
@click.argument("target", metavar="PLUGIN", shell_complete=any_plugin)
@click.option("--kind", type=click.Choice(KINDS),
              help="where a name has several kinds; of a file, try only this kind")  # fmt: skip
@_classes
@plugin_option
def check(target: str, kind: str | None, classes: int | None) -> None:
    """Try a plugin against every rule of the contract, and measure what it costs.

    PLUGIN is a Python file, whose plugins are all tried, or a name with options, such as
    'occlusion[window=15]'. Where a rule is broken the exit code is 1.
    """
    from xaibench.checks.run import check_plugin, find

    broken, given = 0, {} if classes is None else {"classes": classes}
    for each in find(target, kind):
        outcome = check_plugin(each, **given)
        click.echo(visible("\n".join(outcome.lines())))
        broken += outcome.broken
    click.echo(f"{broken or 'no'} rule{'' if broken == 1 else 's'} broken")
    raise SystemExit(Exit.FOUND if broken else Exit.DONE)


@command(
    "xaibench layers resnet50",
    "xaibench layers timm/convnext_tiny --image-size 224",
)
@click.argument("model", shell_complete=one_of("model"))
@click.option("--image-size", default=224, help="side of the images")
@click.option("--layer", default="", help="look at this one")
@click.option("--svg", type=Path, metavar="FILE",
              help="draw the architecture; a PNG of that name goes beside it")  # fmt: skip
@_classes
@plugin_option
def layers(model: str, image_size: int, layer: str, svg: Path | None, classes: int | None) -> None:
    """Show a model's layers: which one CAMs read, and which others --layer could name.

    MODEL is one of `xaibench list models`, with options. For each layer the shape of its
    output for one image and its parameters are printed; a part that holds layers counts theirs.
    """
    from xaibench.core.passes.layer_rows import list_layers
    from xaibench.explaining.layers import build_untrained, describe_layers, summarize
    from xaibench.report.pictures.architecture_figure import draw_architecture

    built = build_untrained(model, image_size, classes)
    for line in describe_layers(built, layer):
        click.echo(visible(line))
    rows = list_layers(built.model, built.images)
    for line in summarize(built, rows):
        click.echo(visible(line))
    if svg is not None:
        draw_architecture(rows, built.spec, svg)
        click.echo(visible(f"written: {svg}"))
