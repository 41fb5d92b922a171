"""Callbacks by name: ours, and those that installed packages bring."""

import inspect
from collections.abc import Iterable, Sequence

from xaibench.callbacks.callback import Callback
from xaibench.callbacks.known import CALLBACKS
from xaibench.callbacks.told import Callbacks
from xaibench.core.contract import Option
from xaibench.core.errors import XaibenchError, reason_of
from xaibench.core.spec import coerce_options, parse_spec


def check_callbacks(specs: Sequence[str]) -> None:
    """Refuse names that there are not; nothing is imported.

    Raises:
        XaibenchError: there is no callback of that name, or it isn't written as one.
    """
    for spec in specs:
        CALLBACKS.check(parse_spec(spec)[0])


def make_callbacks(specs: Iterable[str], given: Iterable[Callback] = ()) -> Callbacks:
    """Make all callbacks of a run, from what they are called and from those that are there.

    Raises:
        XaibenchError: one of them can't be made.
    """
    return Callbacks([*map(_make, specs), *given])


def _make(spec: str) -> Callback:
    name, given = parse_spec(spec)
    factory = CALLBACKS.load(name)
    try:
        declared = {
            argument.name: Option(argument.annotation, argument.default)
            for argument in inspect.signature(factory, eval_str=True).parameters.values()
            if argument.kind is argument.KEYWORD_ONLY
        }
        made = factory(**coerce_options(name, given, declared))
    except Exception as error:
        raise XaibenchError(f"--callbacks {spec}: {reason_of(error)}") from error
    if not isinstance(made, Callback):
        raise XaibenchError(f"--callbacks {name}: it makes no xaibench.Callback; fix its package.")
    return made
