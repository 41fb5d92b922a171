"""What docstrings say, for pages: paragraphs, and a sentence for each option."""

import inspect
import re
import typing
from dataclasses import dataclass

from xaibench.core.plugin import Plugin

_SECTION = re.compile(r"(Args|Options|Returns|Raises):\n")


@dataclass(frozen=True)
class Said:
    """A docstring without its doctest."""

    paragraphs: list[str]
    options: dict[str, str]
    """What is said of each argument or option, by name."""


def read_docstring(text: str | None) -> Said:
    r"""Split a docstring; paragraphs are single lines in Markdown.

    >>> read_docstring("Go.\n\nOptions:\n    far: how ``far``\n        it goes.").options
    {'far': 'how `far` it goes'}
    """
    parts = inspect.cleandoc(text or "").partition("\n>>>")[0].split("\n\n")
    paragraphs: list[str] = []
    options: dict[str, str] = {}
    for part in filter(str.strip, parts):
        section = _SECTION.match(part)
        if not section:
            paragraphs.append(_line(part))
        elif section[1] in ("Args", "Options"):
            found = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", part, re.MULTILINE)
            options |= {name: _line(said).rstrip(".") for name, said in found}
    return Said(paragraphs, options)


def read_plugin(plugin: Plugin) -> Said:
    """Read a plugin's docstring, and those of the options that it shares with others."""
    said = read_docstring(plugin.function.__doc__)
    options = dict(said.options)
    for kind in typing.get_type_hints(plugin.function).values():
        if typing.get_origin(kind) is typing.Unpack:
            options |= read_docstring(typing.get_args(kind)[0].__doc__).options
    return Said(said.paragraphs, options)


def escape(text: str) -> str:
    r"""Keep Markdown from reading signs of formulas as its own; code stays as it is.

    >>> print(escape("a*b*c < `d*e*f`"))
    a\*b\*c &lt; `d*e*f`
    """
    parts = text.split("`")
    parts[::2] = [part.replace("*", "\\*").replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def _line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")
