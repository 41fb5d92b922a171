"""``xaibench score``."""

import shlex
from pathlib import Path
from typing import Any

import click

from xaibench.commands.complete import one_of
from xaibench.commands.help import command
from xaibench.commands.options import (
    choice_option,
    command_line,
    end_with,
    given_ones,
    say,
    text_option,
    verbosity_options,
)
from xaibench.commands.run import run_options, show
from xaibench.core.errors import XaibenchError
from xaibench.setup.option_values import flag

# A run's protocol comes with the run; these change no score.
_WITH_RUN = frozenset({"batch_size", "device", "data_root", "out", "plugin"})

_OPTIONS = (
    "dataset", "metrics", "controls", "split", "split_seed", "mask_fraction", "image_size",
    "batch_size", "limit", "weights", "device", "target", "data_root", "out", "plugin",
)  # fmt: skip


@command(
    "xaibench score maps.npz --run results/busi --model resnet50",
    'xaibench score maps.npz --dataset "folder[path=images]"',
)
@verbosity_options
@click.argument("maps", type=Path, metavar="MAPS.npz")
@click.option(
    "--run",
    type=Path,
    metavar="DIR",
    help="score under this finished run's protocol, to be compared with it",
)
@text_option(
    "--model",
    "NAME",
    "the network that the maps explain: one of the run's, or one that brings its weights; "
    "faithfulness asks it",
    one_of("model"),
)
@click.option("--seed", type=int, help="training seed of the run's model; default its first")
@click.option("--fold", type=int, help="score the test images of this fold alone")
@click.option("--name", help="the method's name on the board; default the file's")
@choice_option("--sign", ["relu", "abs", "none"], "what becomes of negative values; default relu")
@choice_option(
    "--rescale",
    ["minmax", "none"],
    "minmax for attributions, none for probabilities; default minmax",
)
@choice_option(
    "--explains",
    ["label", "predicted", "both"],
    "the class explained, both where maps don't depend on it",
)
@click.option(
    "--learned",
    type=float,
    metavar="SHARE",
    help="share of the training masks that the method has seen",
)
@click.option("--allow-missing", is_flag=True, help="count images without a map as undefined")
@run_options(*_OPTIONS)
def score(
    maps: Path,
    *,
    run: Path | None,
    model: str,
    seed: int | None,
    fold: int | None,
    name: str | None,
    sign: str | None,
    rescale: str | None,
    explains: str | None,
    learned: float | None,
    allow_missing: bool,
    **given: Any,
) -> None:
    """Score saliency maps that someone else made, beside the controls.

    MAPS.npz holds one array (h, w) for each test image, of any resolution, named as the sample
    ('benign/benign (1)', as in splits/*.csv), or the arrays 'ids' and 'maps' (N, h, w).
    '--split all' scores every sample of the dataset.
    """
    from xaibench.submission.score import score_submission
    from xaibench.submission.setting import setting_of_options, setting_of_run

    chosen = given_ones(given)
    if run is None:
        setting = setting_of_options(chosen, model, seed, fold)
    else:
        if fixed := sorted(set(chosen) - _WITH_RUN):
            raise XaibenchError(f"{flag(fixed[0])}: --run {run} settles it; drop one.")
        setting = setting_of_run(run, model, seed, fold, chosen)
    said = {
        "method": name,
        "sign": sign,
        "rescale": rescale,
        "target": explains,
        "mask_fraction": learned,
    }
    done = score_submission(setting, maps, said, command_line(), allow_missing=allow_missing)
    for skip in done.skips:
        say(f"skipped: {skip.what}: {skip.reason}")
    show(done.out)
    for warning in done.warnings:
        say(f"warning: {done.method}: {warning}", err=True)
    if run is not None:
        both = shlex.join(["xaibench", "compare", str(run), str(done.out)])
        say(f"`{both}` sets it beside the run and its controls")
    end_with(f"{what}: {why}" for what, why in done.failures.items())
