"""``xaibench diagnose``."""

from pathlib import Path
from typing import Any

import click

from xaibench.commands.complete import some_of
from xaibench.commands.help import command
from xaibench.commands.options import command_line, say, text_option, verbosity_options
from xaibench.core.errors import XaibenchError
from xaibench.core.logs import logged_to


@command(
    "xaibench diagnose results/busi",
    "xaibench diagnose results/busi --gaming",
)
@verbosity_options
@click.argument("directory", type=Path, required=False)
@text_option("--checks", "A,B", "names of diagnostics; default: all")
@click.option("--gaming", is_flag=True, help="look for maps without a network that win a metric")
@click.option("--shortcut", is_flag=True, help="train twins on phantoms instead; needs no run")
@text_option("--methods", "A,B", "default: all of the run", some_of("method"))
@text_option("--models", "A,B", "with --shortcut: networks to train", some_of("model"))
@click.option("--plugin", multiple=True, metavar="FILE", help="Python file with plugins")
@click.option("--images", default=32, help="number of images to look at")
@click.option("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N; default: the run's")
@click.option("--out", type=Path, metavar="DIR", help="with --shortcut: default results/shortcut")
def diagnose(
    directory: Path | None,
    checks: str,
    gaming: bool,
    shortcut: bool,
    methods: str,
    models: str,
    plugin: tuple[str, ...],
    images: int,
    device: str | None,
    out: Path | None,
) -> None:
    """Try what methods show: pass or fail, never a rank.

    DIRECTORY is a finished run's --out folder. Do maps change when the network's weights are
    random (randomization); do they depend on the decision (classifier_dependence); does the
    baseline decide who is most faithful (baseline_sensitivity)? With --gaming: can a metric be won
    by maps that no network had a part in? Such a metric has no leader. With --shortcut: do methods
    point at a marker when the classifier uses it?
    """
    from xaibench.diagnostics.document import summarize
    from xaibench.diagnostics.run import diagnose as diagnose_run
    from xaibench.diagnostics.run import diagnose_shortcut
    from xaibench.report.write import write_report

    of_runs: dict[str, object] = {"--checks": checks, "--gaming": gaming}
    _check_usage(directory, of_runs, {"--models": models, "--out": out}, shortcut)
    if gaming:
        checks = ",".join(filter(None, (checks, "gaming")))
    given: dict[str, Any] = {
        "methods": methods,
        "plugin": plugin,
        "images": images,
        "device": device or "",
    }
    if directory is not None:
        with logged_to(directory, command_line()):
            frame = diagnose_run(directory, checks=checks, **given)
            write_report(directory)  # its page shows the verdicts, too
    else:
        directory = out or Path("results/shortcut")
        with logged_to(directory, command_line()):
            frame = diagnose_shortcut(directory, models=models, **given)
    for line in summarize(frame):
        say(line)
    page = "" if shortcut else ", report.html"
    say(f"written to {directory}: diagnostics.md, diagnostics.csv{page}")


def _check_usage(
    directory: Path | None, of_runs: dict[str, object], of_twins: dict[str, object], shortcut: bool
) -> None:
    if shortcut == (directory is not None):
        raise XaibenchError(
            "name the folder of a finished run, or give --shortcut, which needs none."
        )
    for name, value in (of_runs if shortcut else of_twins).items():
        if value:
            where = "a finished run" if shortcut else "--shortcut"
            raise XaibenchError(f"{name} goes with {where} only.")
