"""Plugins on the command line: ``name[option=value,option=value]``."""

import re
import types
import typing
from collections.abc import Iterable, Mapping
from math import nan
from typing import Any, Literal

from xaibench.core.contract import Option
from xaibench.core.errors import XaibenchError
from xaibench.core.suggest import did_you_mean
from xaibench.core.visible import is_visible

_TRUTHS = {
    "true": True,
    "yes": True,
    "1": True,
    "on": True,
    "false": False,
    "no": False,
    "0": False,
    "off": False,
}
_NUMBERS = {int: "a whole number", float: "a number"}


def split_list(text: str) -> list[str]:
    """Split at commas that are outside brackets and double quotes.

    >>> split_list("resnet50, saliency_net[backbone=resnet18,loss=dice]")
    ['resnet50', 'saliency_net[backbone=resnet18,loss=dice]']
    >>> split_list('path="a,b",soft=true')
    ['path="a,b"', 'soft=true']
    """
    parts, depth, quoted = [""], 0, False
    for character in text:
        quoted ^= character == '"'
        depth += (not quoted) * ((character == "[") - (character == "]"))
        if character == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def split_names(text: str) -> list[str]:
    """Split at commas, and take the double quotes off a name that has commas itself.

    >>> split_names('dog,"hot dog, with mustard"')
    ['dog', 'hot dog, with mustard']
    """
    return [_unquote(part) for part in split_list(text)]


def parse_spec(text: str) -> tuple[str, dict[str, str]]:
    """Split a spec into its name and its options, still text; quotes keep commas in a value.

    >>> parse_spec("saliency_net[backbone=resnet18,loss=dice]")
    ('saliency_net', {'backbone': 'resnet18', 'loss': 'dice'})

    Raises:
        XaibenchError: brackets don't match, or an option is not ``name=value``.
    """
    name, bracket, rest = text.strip().partition("[")
    if not bracket:
        return name, {}
    if not rest.endswith("]") or not name:
        raise XaibenchError(f"'{text}': write it as name[option=value,option=value].")
    options: dict[str, str] = {}
    for part in split_list(rest[:-1]):
        key, equals, value = part.partition("=")
        if not equals:
            raise XaibenchError(f"'{text}': '{part}' is not option=value.")
        if key.strip() in options:
            raise XaibenchError(f"'{text}': option '{key.strip()}' is given twice.")
        options[key.strip()] = _unquote(value.strip())
    return name, options


def _unquote(value: str) -> str:
    """Return a value without the double quotes around it; two inside stand for one."""
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return value[1:-1].replace('""', '"') if quoted else value


def _quote(value: str) -> str:
    """Return a value as a spec can hold it, quoted where it would be read in another way.

    >>> _quote("a,b"), _quote("regex:P[0-9]+")
    ('"a,b"', 'regex:P[0-9]+')
    """
    plain = split_list(value) in ([value], []) and value.count("[") == value.count("]")
    return value if plain and '"' not in value else '"' + value.replace('"', '""') + '"'


def coerce_options(
    owner: str, given: Mapping[str, Any], declared: Mapping[str, Option]
) -> dict[str, Any]:
    """Turn option texts into the declared types; values of the right type pass unchanged.

    Raises:
        XaibenchError: an option is unknown, or its value does not suit its type.
    """
    values = {}
    for key, value in given.items():
        if key not in declared:
            known = f"its options are {', '.join(declared)}" if declared else "it has no options"
            raise XaibenchError(
                f"{owner} has no option '{key}'{did_you_mean(key, declared)}; {known}."
            )
        try:
            values[key] = coerce(value, declared[key].type)
        except ValueError as error:
            raise XaibenchError(f"{owner}[{key}={value}]: {error}.") from None
    return values


def format_spec(name: str, options: Mapping[str, Any], declared: Mapping[str, Option]) -> str:
    """Return the canonical spec: options sorted, defaults left out."""
    parts = [
        f"{key}={_quote(as_text(options[key]))}"
        for key in sorted(options)
        if options[key] != declared[key].default
    ]
    return f"{name}[{','.join(parts)}]" if parts else name


def add_option(spec: str, key: str, value: str) -> str:
    """Return a spec with one more option.

    >>> add_option("resnet18", "checkpoint", "a.pt"), add_option("m[k=1]", "file", "a,b")
    ('resnet18[checkpoint=a.pt]', 'm[k=1,file="a,b"]')
    """
    inner = spec[:-1] + "," if spec.endswith("]") else spec + "["
    return f"{inner}{key}={_quote(value)}]"


def as_text(value: Any) -> str:
    """Write an option's value as a spec does: tuples joined by ``+``."""
    if isinstance(value, tuple):
        return "+".join(map(as_text, value))
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def coerce(value: Any, kind: Any) -> Any:
    """Turn a text into a type; values of that type pass unchanged.

    Raises:
        ValueError: it doesn't suit; says why, in words that may follow the value and a colon.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        for choice in arguments:
            if value == choice or value == str(choice):
                return choice
        raise ValueError(f"choose one of {', '.join(map(str, arguments))}")
    if origin in (typing.Union, types.UnionType):
        if type(None) in arguments and value in (None, "none", ""):
            return None
        return coerce(value, next(choice for choice in arguments if choice is not type(None)))
    if origin is tuple:
        # Whole numbers are often joined by hyphens, as in 32-32-64-64.
        joint = r"\+|(?<=\d)-" if arguments[0] is int else r"\+"
        parts: Iterable[Any] = re.split(joint, value) if isinstance(value, str) and value else value
        return tuple(coerce(part, arguments[0]) for part in parts)
    return _number(value, kind) if kind in _NUMBERS else _plain(value, kind)


def _plain(value: Any, kind: Any) -> Any:
    if kind is bool:
        if str(value).lower() not in _TRUTHS:
            raise ValueError("choose true or false")
        return _TRUTHS[str(value).lower()]
    if kind is str:
        if not is_visible(str(value)) or isinstance(value, list | dict | tuple | bool):
            raise ValueError("not a text that names anything")
        return str(value)
    return kind(value)


def _number(value: Any, kind: type[int] | type[float]) -> int | float:
    try:
        converted: int | float = kind(value)
    except (TypeError, ValueError, OverflowError):
        converted = nan
    # int() would cut 2.5 to 2, and take true for 1; nan equals nothing.
    same = converted == (converted if isinstance(value, str) else value)
    if not same or isinstance(value, bool):
        raise ValueError(f"not {_NUMBERS[kind]}")
    return converted
