"""What a study is: runs that differ in one thing, and which of their models are compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind
from xaibench.results.study_records import Arm
from xaibench.setup.selection import Selection


@dataclass(frozen=True)
class Point:
    """A run of the study: the name of its folder, and the options in which it differs."""

    name: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Design:
    """All runs, and the trained models that the table compares, in its order.

    ``later`` are runs on data that ``prepare`` makes of what those before have left.
    """

    points: Sequence[Point]
    arms: Sequence[Arm]
    later: Sequence[Point] = ()
    prepare: Callable[[], None] | None = None


@dataclass(frozen=True)
class Study:
    """A sweep that answers a question.

    ``design`` makes it of the run's options and of ``--values``, which may be empty. Levels that
    are ``ordered`` may show a trend. ``with_loss``: its table has the test loss, too.
    """

    name: str
    question: str
    design: Callable[[Selection, Sequence[str]], Design]
    ordered: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)
    with_loss: bool = False


def shares(values: Sequence[str], *, above_zero: bool = False) -> list[float]:
    """Read shares, and sort them.

    Raises:
        XaibenchError: one is no number from 0 to 1, or is there twice.
    """
    found = []
    for text in values:
        try:
            share = float(text)
        except ValueError:
            share = float("nan")
        if not 0 <= share <= 1 or (above_zero and share == 0):
            allowed = "above 0, up to 1" if above_zero else "from 0 to 1"
            raise XaibenchError(f"--values {text}: write shares {allowed}, such as 0.1,0.5,1.")
        found.append(share)
    if len(set(found)) < len(found):
        raise XaibenchError(f"--values {','.join(values)}: repeats a share.")
    return sorted(found)


def unlearned(selection: Selection) -> list[str]:
    """Return the methods that need no learned map; a run needs one."""
    found = [
        m.spec for m in selection.methods if m.plugin.traits.family not in ("learned", "control")
    ]
    return found or ["gradcam"]


def model_with(selection: Selection, study: str, *options: str) -> Bound:
    """Return the first of ``--models`` that has these options.

    Raises:
        XaibenchError: none has.
    """
    for model in selection.models:
        if set(options) <= set(model.plugin.signature.options):
            return model
    named = ", ".join(f"'{option}'" for option in options)
    raise XaibenchError(
        f"study {study} varies {named}: --models {','.join(selection.options.models)} names no "
        "model with such options; `xaibench list models` shows which have them."
    )


def vary(model: Bound, **levels: str) -> str:
    """Return a model's canonical name with some options set anew.

    Raises:
        XaibenchError: an option doesn't take the value.
    """
    return bind("model", Bound(model.plugin, {**model.options, **levels}).spec).spec
