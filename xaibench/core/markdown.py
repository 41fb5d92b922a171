"""Writing Markdown: tables whose cells can't break them."""

import re
from collections.abc import Sequence

from xaibench.core.visible import visible

_TAG = re.compile("<(?=[A-Za-z/!?])")


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, links: bool = False
) -> str:
    r"""Write a table; ``|``, ``<``, links and line breaks in cells are escaped.

    Args:
        header: names of the columns.
        rows: cells.
        links: keep links in cells, which then must not come from outside.

    >>> print(markdown_table(["a|b", "n"], [["x", "1"]]))
    | a\|b | n |
    | --- | --- |
    | x | 1 |
    """
    lines = [header, ["---"] * len(header), *rows]
    one_line = _in_a_line if links else plain
    cells = ([one_line(c).replace("|", "\\|").replace("<", "&lt;") for c in row] for row in lines)
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _in_a_line(text: str) -> str:
    return " ".join(text.split("\n"))


def plain(text: str) -> str:
    r"""Return text in one line that makes no link, picture or HTML tag of what is in it.

    >>> print(plain("[a](http://b) <img src=c> p < 0.05"))
    [a]\(http://b) &lt;img src=c> p < 0.05
    """
    return _TAG.sub("&lt;", visible(_in_a_line(text)).replace("](", "]\\("))
