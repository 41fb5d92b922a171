r"""Text in CSV files, written so that no spreadsheet takes it for a formula.

A text that begins like a formula (``=``, ``+``, ``-``, ``@``, also in their full width, a tab or a
line break) gets an apostrophe in front, as spreadsheets write it themselves, unless it is a number.
Reading takes it away again, and numbers are never touched.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import pandas as pd

from xaibench.core.visible import visible

_START = "[=+@\\-\t\n\uff1d\uff0b\uff20\uff0d]"
_FORMULA = re.compile(f"'*{_START}")
_GUARDED = re.compile(f"'+{_START}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|nan)", re.ASCII | re.IGNORECASE)


@lru_cache(2**16)
def to_cell(text: str) -> str:
    r"""Return text as it is in a CSV file; control characters are shown as escapes.

    >>> [to_cell(text) for text in ("=1+1", "-0.5", "-a", "'=b", "it's", "a\x1b[2J")]
    ["'=1+1", '-0.5', "'-a", "''=b", "it's", 'a\\x1b[2J']
    """
    shown = visible(text)
    return f"'{shown}" if _FORMULA.match(shown) and not _NUMBER.fullmatch(shown) else shown


@lru_cache(2**16)
def from_cell(text: str) -> str:
    """Return the text that `to_cell` was given, but for control characters.

    >>> [from_cell(text) for text in ("'=1+1", "-0.5", "''=b", "it's", "'tis")]
    ['=1+1', '-0.5', "'=b", "it's", "'tis"]
    """
    return text[1:] if _GUARDED.match(text) else text


def to_cells(row: Iterable[object]) -> list[object]:
    """Return a row of values whose texts can be in a CSV file."""
    return [to_cell(value) if isinstance(value, str) else value for value in row]


def to_csv(table: pd.DataFrame, file: Any, **options: Any) -> None:
    """Write a table without its index.

    Args:
        table: columns of text or numbers.
        file: a path, or a file.
        options: of `pandas.DataFrame.to_csv`.
    """
    _map_texts(table, to_cell).to_csv(file, index=False, **options)


def restore(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table that was read from a CSV file, with its texts as they were."""
    return _map_texts(table, from_cell)


def _map_texts(table: pd.DataFrame, change: Any) -> pd.DataFrame:
    changed: dict[int, pd.Series[Any]] = {}
    for place, kind in enumerate(table.dtypes):
        column = table.iloc[:, place]
        if isinstance(kind, pd.CategoricalDtype):
            names = {name: change(name) for name in kind.categories if isinstance(name, str)}
            if any(name != new for name, new in names.items()):
                changed[place] = column.cat.rename_categories(names)
        elif pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind):
            texts = [change(value) if isinstance(value, str) else value for value in column]
            changed[place] = pd.Series(texts, column.index, kind, name=column.name)
    columns = [changed.get(place, table.iloc[:, place]) for place in range(table.shape[1])]
    found = pd.concat(columns, axis=1) if changed else table
    return found.rename(columns=lambda name: change(name) if isinstance(name, str) else name)
