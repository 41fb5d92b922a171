"""Values of options: from what was given to what they are declared as."""

import typing
from collections.abc import Iterable
from typing import Any, Literal

from xaibench.core.errors import XaibenchError
from xaibench.core.spec import split_list

_TRUTHS = {"true": True, "false": False}


_WANTED = {"int": "a whole number", "float": "a number"}


def flag(name: str) -> str:
    """Return an option as the command line has it.

    >>> flag("image_size")
    '--image-size'
    """
    return "--" + name.replace("_", "-")


def listed(value: Any) -> list[Any]:
    """Return the parts of a list option, however it was given: text, a list or a single value."""
    if isinstance(value, str):
        return split_list(value)
    return list(value) if isinstance(value, Iterable) else [value]


def convert_one(name: str, value: Any, kind: Any) -> Any:
    """Return a single value as the kind that an option is declared as.

    Raises:
        XaibenchError: it is none.
    """
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            raise XaibenchError(f"{flag(name)} {value}: choose one of {', '.join(choices)}.")
        return value
    if kind is bool:
        if str(value).lower() not in _TRUTHS:
            raise XaibenchError(f"{flag(name)} {value}: choose true or false.")
        return _TRUTHS[str(value).lower()]
    if kind is str:
        if "\0" in str(value) or isinstance(value, list | dict | tuple | bool):
            raise XaibenchError(f"{flag(name)} {value!r}: not a text that names anything.")
        return str(value)
    try:
        converted = kind(value)
    except (TypeError, ValueError, OverflowError):
        converted = None
    # int() would cut 2.5 to 2, and take true for 1.
    rounded = not isinstance(value, str) and converted != value
    if converted is None or rounded or isinstance(value, bool):
        raise XaibenchError(f"{flag(name)} {value}: not {_WANTED[kind.__name__]}.")
    return converted
