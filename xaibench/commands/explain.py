"""``xaibench explain``."""

from pathlib import Path
from typing import Any

import click

from xaibench.commands.complete import one_of, some_of
from xaibench.commands.help import command
from xaibench.commands.options import (
    command_line,
    end_with,
    given_ones,
    say,
    text_option,
    verbosity_options,
)
from xaibench.commands.run import run_options
from xaibench.commands.stored import pictures_argument, ready_model, run_option, weights_option
from xaibench.core.errors import XaibenchError
from xaibench.core.logs import logged_to


@command(
    "xaibench explain 'scans/*.png' --run results/busi",
    "xaibench explain cat.jpg --model resnet50 --weights imagenet --methods gradcam,scorecam",
)
@verbosity_options
@pictures_argument
@run_option
@text_option(
    "--model",
    "SPEC",
    "one of the run's (default its first), or one with --weights: of `xaibench list models`",
    one_of("model"),
)
@click.option("--fold", type=int, help="of the run's model; default its first")
@click.option("--seed", type=int, help="training seed of the run's model; default its first")
@text_option("--classes", "A,B", "the classes' names, in the order of the model's logits")
@text_option(
    "--methods", "A,B", "default the run's without its controls, else gradcam", some_of("method")
)
@click.option(
    "--target",
    default="predicted",
    metavar="CLASS",
    help="class explained: predicted (default), a name or a number",
)
@click.option(
    "--out",
    type=Path,
    default=Path("explained"),
    metavar="DIR",
    help="folder for pictures, maps and table; default explained",
)
@click.option(
    "--covered",
    is_flag=True,
    help="draw what drop_in_confidence and increase_in_confidence measure: pictures with the "
    "important part covered, or the rest, each with its confidence",
)
@weights_option
@run_options("image_size", "layer", "device", "plugin")
def explain(
    images: tuple[str, ...],
    *,
    run: Path | None,
    model: str,
    fold: int | None,
    seed: int | None,
    classes: str,
    methods: str,
    target: str,
    out: Path,
    covered: bool,
    **given: Any,
) -> None:
    """Explain pictures of your own: maps, prediction and confidence.

    IMAGE is a file, a folder or a pattern such as 'scans/*.png'. Pictures need no labels and no
    masks, and keep their size: the network sees a square of each, and its map is stretched back.
    With --run it sees the part that the run's dataset reads (chest_xray[crop=...]). Methods that
    use random numbers draw new ones. The run's analyses are repeated: knn votes on each picture by
    the nearest training images, anomaly judges its error, reconstruction shows what an autoencoder
    returns for it, clean and with noise.
    """
    from xaibench.core.spec import split_list
    from xaibench.explaining.explain_files import PictureExplainer, choose_methods
    from xaibench.explaining.pictures import find_pictures, note_training
    from xaibench.report.explained import describe, write_explanations

    files, missing = find_pictures(images, out)
    if not files:
        raise XaibenchError(" ".join(f"{what}: {why}" for what, why in missing.items()))
    ready = ready_model(run, model, (fold, seed), split_list(classes), given_ones(given))
    explainer = PictureExplainer(
        ready, choose_methods(ready, split_list(methods)), target, covered=covered
    )
    with logged_to(out, command_line()):
        table, advice = write_explanations(explainer(files), out, ready.title)
    for line in (*describe(table), *advice):
        say(line)
    if note := note_training(files, ready.learned):
        say(note)
    say(f"written to {out}: explained.csv, maps.npz, and overlays in a folder each")
    failures = {**missing, **explainer.failures}
    end_with(f"{what}: {why}" for what, why in failures.items())
