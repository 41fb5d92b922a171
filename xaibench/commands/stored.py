"""What commands share that look at a user's pictures with a trained model."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xaibench.core.errors import XaibenchError
from xaibench.setup.option_values import flag

if TYPE_CHECKING:
    from xaibench.explaining.stored_model import StoredModel

_OF_WEIGHTS = ("weights", "image_size", "classes")
pictures_argument = click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
run_option = click.option(
    "--run", type=Path, metavar="DIR", help="take a model that this run has trained"
)
weights_option = click.option("--weights", metavar="FILE|imagenet", help="all weights of --model")


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
