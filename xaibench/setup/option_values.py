"""Values of options: from what was given to what they are declared as."""

from collections.abc import Iterable
from typing import Any

from xaibench.core.errors import XaibenchError
from xaibench.core.spec import coerce, split_list


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


def either(plural: Any, singular: Any, name: str) -> Any:
    """Return what was given as ``methods=`` or as ``method=``.

    Raises:
        XaibenchError: both were.
    """
    if singular is None:
        return plural
    if plural is not None:
        raise XaibenchError(f"give {name}s= or {name}=, not both.")
    return singular


def convert_one(name: str, value: Any, kind: Any) -> Any:
    """Return a single value as the kind that an option is declared as.

    Raises:
        XaibenchError: it is none.
    """
    try:
        return coerce(value, kind)
    except ValueError as error:
        shown = repr(value) if kind is str else value
        raise XaibenchError(f"{flag(name)} {shown}: {error}.") from None
