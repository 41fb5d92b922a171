"""Writing Markdown: tables whose cells can't break them."""

from collections.abc import Sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Write a table; ``|``, ``<`` and line breaks in cells are escaped.

    >>> print(markdown_table(["a|b", "n"], [["x", "1"]]))
    | a\|b | n |
    | --- | --- |
    | x | 1 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_escape, line)) + " |" for line in lines)


def _escape(cell: str) -> str:
    return " ".join(cell.split("\n")).replace("|", "\\|").replace("<", "&lt;")
