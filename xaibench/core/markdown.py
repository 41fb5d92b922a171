"""Writing Markdown: tables whose cells can't break them."""

import re
from collections.abc import Sequence

from xaibench.core.visible import visible

_TAG = re.compile("<(?=[A-Za-z/!?])")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Write a table; ``|``, ``<``, links and line breaks in cells are escaped.

    >>> print(markdown_table(["a|b", "n"], [["x", "1"]]))
    | a\|b | n |
    | --- | --- |
    | x | 1 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_escape, line)) + " |" for line in lines)


def _escape(cell: str) -> str:
    return plain(cell).replace("|", "\\|").replace("<", "&lt;")


def plain(text: str) -> str:
    r"""Return text in one line that makes no link, picture or HTML tag of what is in it.

    >>> print(plain("[a](http://b) <img src=c> p < 0.05"))
    [a]\(http://b) &lt;img src=c> p < 0.05
    """
    return _TAG.sub("&lt;", visible(" ".join(text.split("\n"))).replace("](", "]\\("))
