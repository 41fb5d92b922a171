"""What annotation costs: seconds for each kind of it, and how a user says others."""

from collections.abc import Mapping

from xaibench.core.errors import XaibenchError
from xaibench.core.suggest import did_you_mean

SECONDS: Mapping[str, float] = {"label": 1.0, "point": 2.4, "box": 7.0, "mask": 79.0}
"""Of one unit: a label of one class and a click on an object (bearman2016point), a box by its four
extreme points (papadopoulos2017extreme), an outline of an object (lin2014coco)."""
UNIT_OF = {"points": "point", "boxes": "box", "masks": "mask"}
"""The unit of each kind of supervision that says where the evidence lies."""


def read_effort(text: str) -> dict[str, float]:
    """Return seconds for each unit, where ``label=2,mask=240`` replaces defaults.

    Raises:
        XaibenchError: there is no such unit, or its time is no number above 0.

    >>> read_effort("mask=240")
    {'label': 1.0, 'point': 2.4, 'box': 7.0, 'mask': 240.0}
    """
    found = dict(SECONDS)
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in SECONDS:
            raise XaibenchError(
                f"--effort {part}: there is no unit '{name}'{did_you_mean(name, SECONDS)}; choose "
                f"of {', '.join(SECONDS)}."
            )
        try:
            seconds = float(value)
        except ValueError:
            seconds = float("nan")
        if not 0 < seconds < float("inf"):
            raise XaibenchError(f"--effort {part}: write seconds above 0, such as {name}=30.")
        found[name] = seconds
    return found
