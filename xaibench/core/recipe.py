"""The words of a training recipe, read without torch, so that help and errors come at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from xaibench.core.errors import XaibenchError
from xaibench.core.suggest import did_you_mean

# What training images may undergo, and how far by default; 0 where there is no extent.
EXTENTS: Mapping[str, float] = {
    "rotation": 45,
    "crop": 0,
    "horizontal_flip": 0,
    "vertical_flip": 0,
    "color": 0,
    "scale": 0.2,
    "translation": 0.05,
    "gamma": 0.25,
    "elastic": 0.03,
    "reflection": 0,
}
# Those of the study.
AUGMENTATIONS = ("rotation", "crop", "horizontal_flip", "vertical_flip", "color")
# What today's trainings undergo; what lies outside is the mirror image.
STRONG_AUGMENTATIONS = (
    *("rotation:20", "scale", "translation", "horizontal_flip", "color", "gamma", "reflection"),
)
LocalizationLoss = Literal[
    "l1", "l2", "ssim", "bce", "dice", "bce_dice", "focal", "tversky", "boundary"
]
# By what an option is where neither user nor dataset says it; the defaults are the strong recipe.
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "published": {
        "epochs": 40,
        "learning_rate": 1e-4,
        "fresh_rate": 10.0,
        "optimizer": "adam",
        "weight_decay": 0.0,
        "schedule": "constant",
        "label_smoothing": 0.0,
        "ema": 0.0,
        "keep_epoch": "best",
        "loss": "bce",
        "augmentation": AUGMENTATIONS,
    },
    "strong": {},
}
# All that a training hangs on; networks of one name that differ in any of it are no two seeds.
_RECIPE = (
    *("epochs", "learning_rate", "fresh_rate", "train_batch_size", "optimizer", "weight_decay"),
    *("schedule", "label_smoothing", "ema", "keep_epoch", "loss", "class_weighting"),
    *("augmentation", "replicas", "weights", "train_precision"),
)
# What runs had that were stored before these were options.
_ONCE = {
    **RECIPES["published"],
    "class_weighting": "none",
    "replicas": 1,
    "train_precision": "auto",
}
_BY_STEP = ("one_cycle", "cosine")
_USAGE = (
    "write constant, one_cycle, cosine, step:EPOCHS:FACTOR (such as step:7:0.1) or "
    "exponential:FACTOR"
)


def recipe_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored run's options of training; nothing where it tells no options."""
    told = {**_ONCE, **options} if options else {}
    if "augmentation" in told:
        told["augmentation"] = tuple(map(_now, told["augmentation"]))
    return {
        name: list(told[name]) if isinstance(told[name], tuple) else told[name]
        for name in _RECIPE
        if name in told
    }


class Schedule(NamedTuple):
    """The learning rate is multiplied by ``factor`` after every ``epochs``.

    Where ``by_step`` names a schedule, that one changes the rate after each step instead.
    """

    epochs: int
    factor: float
    by_step: str = ""


def read_schedule(text: str) -> Schedule:
    """Read ``constant``, ``step:7:0.1`` (a tenth every seven epochs), ``exponential:0.95``, ...

    >>> read_schedule("step:7:0.1")
    Schedule(epochs=7, factor=0.1, by_step='')

    Raises:
        XaibenchError: it is no schedule.
    """
    kind, *numbers = text.split(":")
    if text in _BY_STEP:
        return Schedule(1, 1.0, text)
    try:
        if kind == "constant" and not numbers:
            return Schedule(1, 1.0)
        epochs = int(numbers.pop(0)) if kind == "step" else 1
        (factor,) = map(float, numbers)
    except (ValueError, IndexError):
        factor = epochs = 0
    if kind not in ("step", "exponential") or epochs < 1 or not 0 < factor <= 1:
        raise XaibenchError(f"--schedule {text}: {_USAGE}.")
    return Schedule(epochs, factor)


def read_augmentation(chosen: Sequence[str]) -> dict[str, float]:
    """Return how far each change of training images goes; nothing for ``none``.

    >>> read_augmentation(["rotation:20", "horizontal_flip"])
    {'rotation': 20.0, 'horizontal_flip': 0}

    Raises:
        XaibenchError: one is unknown or goes nowhere, or ``none`` is combined with others.
    """
    told = f"--augmentation {','.join(chosen)}"
    if "none" in chosen:
        if len(chosen) > 1:
            raise XaibenchError(f"{told}: 'none' can't be combined with others.")
        return {}
    return dict(_read_change(text, told) for text in chosen)


def _now(change: str) -> str:
    """Return a change of images as it is spelled now."""
    return change.replace("colour", "color")


def _read_change(text: str, told: str) -> tuple[str, float]:
    name, _, given = _now(text).partition(":")
    if name not in EXTENTS:
        raise XaibenchError(
            f"{told}: there is no '{name}'{did_you_mean(name, EXTENTS)}; choose some of "
            f"{', '.join(EXTENTS)}, or none."
        )
    if not given:
        return name, EXTENTS[name]
    highest = 180 if name == "rotation" else 1
    try:
        extent = float(given)
    except ValueError:
        extent = 0
    if not EXTENTS[name] or not 0 < extent <= highest:
        usage = f"a number above 0, at most {highest}" if EXTENTS[name] else "no number"
        raise XaibenchError(f"{told}: '{name}' takes {usage}.")
    return name, extent
