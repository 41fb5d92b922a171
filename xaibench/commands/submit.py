"""``xaibench submit``."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from xaibench.commands.complete import one_of
from xaibench.commands.help import command
from xaibench.commands.options import (
    command_line,
    given_ones,
    say,
    text_option,
    verbosity_options,
)
from xaibench.commands.run import run_options
from xaibench.core.errors import XaibenchError


@command(
    "xaibench submit maps.npz --run results/busi --model resnet50",
    "xaibench submit my_method.py --run results/busi --out submissions/mine",
)
@verbosity_options
@click.argument("given", type=Path, metavar="MAPS|PLUGIN")
@click.option(
    "--run",
    "directory",
    type=Path,
    required=True,
    metavar="DIR",
    help="the finished run whose protocol scores it",
)
@text_option("--model", "NAME", "the run's network that the maps explain", one_of("model"))
@click.option("--name", help="the maps' name on the board; default the file's")
@click.option("--learned", type=float, metavar="SHARE", help="share of training masks seen")
@click.option("--out", type=Path, metavar="DIR",
              help="folder of the submission; default submissions/<name of the file>")  # fmt: skip
@run_options("data_root", "device", "plugin")
def submit(
    given: Path,
    *,
    directory: Path,
    model: str,
    name: str | None,
    learned: float | None,
    out: Path | None,
    **chosen: Any,
) -> None:
    """Check and score maps or a plugin of yours, and write a folder for a pull request.

    MAPS is a .npz file as `xaibench score` takes it. PLUGIN is a Python file: its methods are
    tried against the contract as `xaibench check` does, then scored in the run's folder with the
    run's networks. The submission has scores, tables and a card: model, data, what it learned
    from, compute and checksums.
    """
    from xaibench.checks.sound import sound_methods
    from xaibench.report.hand_in import write_submission
    from xaibench.report.write import report_of
    from xaibench.submission.setting import setting_of_run
    from xaibench.submission.submit import submit_maps, submit_plugin

    options = given_ones(chosen)
    place = out or Path("submissions") / given.stem
    if given.suffix == ".py":
        if model or name or learned is not None:
            raise XaibenchError("--model, --name and --learned are of maps; a plugin says its own.")
        methods = sound_methods(given)
        names = submit_plugin(given, methods, directory, options, command_line())
        report_of(directory)
        card = write_submission(directory, given, names, place)
    else:
        said = {"method": name, "mask_fraction": learned}
        with TemporaryDirectory() as scratch:
            scored = Path(scratch) / "scored"
            setting = setting_of_run(directory, model, None, None, {**options, "out": str(scored)})
            done = submit_maps(given, setting, said, command_line())
            for warning in done.warnings:
                say(f"warning: {done.method}: {warning}", err=True)
            card = write_submission(scored, given, [done.method], place)
    say(f"written to {place}: {card.name}, leaderboard.md, tables of scores, run.json")
    say("next: copy the folder into results/published of xaibench's repository, and open a pull")
    say("request with it")
