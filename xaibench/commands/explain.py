"""``xaibench explain``."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from xaibench.core.errors import XaibenchError
from xaibench.core.logs import logged_to
from xaibench.setup.option_values import flag

if TYPE_CHECKING:
    from xaibench.explaining.stored_model import StoredModel

_OF_WEIGHTS = ("weights", "image_size", "classes")


@command(
    "xaibench explain 'scans/*.png' --run results/busi",
    "xaibench explain cat.jpg --model resnet50 --weights imagenet --methods gradcam,scorecam",
)
@verbosity_options
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--run", type=Path, metavar="DIR", help="take a model that this run has trained")
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
    "--methods", "A,B", "default the run's that are no controls, else gradcam", some_of("method")
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
    help="draw what drop_in_confidence and increase_in_confidence ask: pictures with the important "
    "part covered, or the rest, each with its confidence",
)
@click.option("--weights", metavar="FILE|imagenet", help="all that the --model has learned")
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
    Of a run's model it sees the part that the run's dataset reads (chest_xray[crop=...]). Methods
    that draw random numbers draw others than in the run. Where the run has the analysis knn, the
    nearest training images vote on each picture; where it has anomaly, its error is judged.
    """
    from xaibench.core.spec import split_list
    from xaibench.explaining.explain_files import PictureExplainer, choose_methods
    from xaibench.explaining.pictures import find_pictures
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
    say(f"written to {out}: explained.csv, maps.npz, and overlays in a folder each")
    failures = {**missing, **explainer.failures}
    end_with(f"{what}: {why}" for what, why in failures.items())


def ready_model(
    run: Path | None,
    model: str,
    place: tuple[int | None, int | None],
    classes: list[str],
    chosen: Mapping[str, Any],
) -> "StoredModel":
    """Return a run's model of a fold and a seed, or one with all of its weights from elsewhere.

    Raises:
        XaibenchError: nothing names it, options contradict each other, or it isn't there.
    """
    from xaibench.explaining.stored_model import model_of_run, model_of_weights

    fold, seed = place
    if run is not None:
        _refuse("--run settles it", {**chosen, "classes": classes}, _OF_WEIGHTS)
        return model_of_run(run, model, fold, seed, chosen)
    if not model:
        raise XaibenchError("name what explains: --run DIR, or --model SPEC with --weights.")
    _refuse("it chooses among the models of a --run", {"fold": fold, "seed": seed})
    return model_of_weights(model, classes, chosen)


def _refuse(why: str, given: Mapping[str, object], names: Collection[str] = ()) -> None:
    """Refuse options that are of no account here."""
    for name in names or given:
        if given.get(name) not in (None, []):
            raise XaibenchError(f"{flag(name)}: {why}; drop one.")
