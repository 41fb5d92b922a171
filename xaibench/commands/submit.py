"""``xaibench submit``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from xaibench.submission.setting import Setting


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
@run_options("data_root", "device", "plugin", "out")
def submit(
    given: Path,
    *,
    directory: Path,
    model: str,
    name: str | None,
    learned: float | None,
    **chosen: Any,
) -> None:
    """Check and score maps or a plugin of yours, and write a folder for a pull request.

    MAPS is a .npz file as `xaibench score` takes it. PLUGIN is a Python file: its methods are
    tried against the contract as `xaibench check` does, then scored in the run's folder with the
    run's networks. The submission has scores, tables and a card: model, data, what it learned
    from, compute and checksums.
    """
    from xaibench.report.hand_in import write_submission
    from xaibench.submission.setting import setting_of_run

    options = given_ones(chosen)
    place = Path(options.pop("out", "") or Path("submissions") / given.stem)
    if given.suffix == ".py":
        if model or name or learned is not None:
            raise XaibenchError("--model, --name and --learned are of maps; a plugin says its own.")
        names = _score_plugin(given, directory, options)
        card = write_submission(directory, given, names, place)
    else:
        said = {"method": name, "mask_fraction": learned}
        with TemporaryDirectory() as scratch:
            scored = Path(scratch) / "scored"
            setting = setting_of_run(directory, model, None, None, {**options, "out": str(scored)})
            names = _score_maps(given, setting, said)
            card = write_submission(scored, given, names, place)
    say(f"written to {place}: leaderboard.md, scores, run.json, {card.name}")
    say("add the folder to results/published, and open a pull request")


def _score_maps(maps: Path, setting: "Setting", said: Mapping[str, Any]) -> Sequence[str]:
    from xaibench.submission.score import score_submission

    done = score_submission(setting, maps, said, command_line())
    for warning in done.warnings:
        say(f"warning: {done.method}: {warning}", err=True)
    _refuse(done.failures)
    return [done.method]


def _score_plugin(file: Path, directory: Path, given: Mapping[str, Any]) -> Sequence[str]:
    """Try a file's methods against the contract, and score them with the run's networks."""
    from xaibench.checks.run import check_plugin, find
    from xaibench.report.write import report_of
    from xaibench.results.stored_run import options_of, read_run
    from xaibench.running.plan import make_plan
    from xaibench.running.run import run_plan
    from xaibench.setup.selection import select

    methods = [each for each in find(str(file)) if each.plugin.kind == "method"]
    if not methods:
        raise XaibenchError(f"{file}: it has no method; `xaibench list` names what plugins are.")
    for each in methods:
        if broken := check_plugin(each).broken:
            raise XaibenchError(
                f"{file}: {each.spec} breaks {broken} rules; see `xaibench check {file}`."
            )
    names = [each.spec for each in methods]
    stored = read_run(directory)
    files = (*given.get("plugin", ()), str(file))
    options = options_of(directory, stored, {**given, "plugin": files, "out": str(directory)})
    chosen = [spec for spec in stored.methods if stored.kind_of(spec) != "control"]
    selection = select({**options, "methods": tuple(dict.fromkeys([*chosen, *names]))})
    _refuse(run_plan(selection, make_plan(selection), command_line()).failures)
    report_of(directory)
    return names


def _refuse(failures: dict[str, str]) -> None:
    if failures:
        told = "; ".join(f"{what}: {why}" for what, why in failures.items())
        raise XaibenchError(f"nothing is submitted, as not all could be scored ({told}).")
