"""The words of a training recipe, read without torch, so that help and errors come at once."""

from collections.abc import Sequence
from typing import NamedTuple

from xaibench.core.errors import XaibenchError
from xaibench.core.suggest import did_you_mean

AUGMENTATIONS = ("rotation", "crop", "horizontal_flip", "vertical_flip", "colour")
_USAGE = "write constant, step:EPOCHS:FACTOR (such as step:7:0.1) or exponential:FACTOR"


class Schedule(NamedTuple):
    """The learning rate is multiplied by ``factor`` after every ``epochs``."""

    epochs: int
    factor: float


def read_schedule(text: str) -> Schedule:
    """Read ``constant``, ``step:7:0.1`` (a tenth every seven epochs) or ``exponential:0.95``.

    >>> read_schedule("step:7:0.1")
    Schedule(epochs=7, factor=0.1)

    Raises:
        XaibenchError: it is none of these.
    """
    kind, *numbers = text.split(":")
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


def check_augmentation(chosen: Sequence[str]) -> None:
    """Make sure that changes of training images are known ones, or none.

    Raises:
        XaibenchError: one isn't, or ``none`` stands beside others.
    """
    if "none" in chosen and len(chosen) > 1:
        raise XaibenchError(f"--augmentation {','.join(chosen)}: 'none' stands alone.")
    for name in chosen:
        if name not in (*AUGMENTATIONS, "none"):
            raise XaibenchError(
                f"--augmentation {','.join(chosen)}: there is no '{name}'"
                f"{did_you_mean(name, AUGMENTATIONS)}; choose some of {', '.join(AUGMENTATIONS)}, "
                "or none."
            )
