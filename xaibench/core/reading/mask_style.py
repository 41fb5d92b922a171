"""How the masks of a folder are written, where the user says so: values, ignored ones, shares."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from xaibench.core.data import IGNORED, MaskLayer
from xaibench.core.errors import XaibenchError

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_HIGHEST = 65535


class MaskStyle(NamedTuple):
    """What of a mask file counts; by default whatever is brighter than mid-gray."""

    values: tuple[int, ...] = ()
    ignore: tuple[int, ...] = ()
    soft: bool = False

    def layers(self, path: Path) -> tuple[MaskLayer, ...]:
        """Return the layers of one file."""
        marked = MaskLayer(path, value=self.values or None, soft=self.soft)
        return (marked, MaskLayer(path, IGNORED, self.ignore)) if self.ignore else (marked,)


def read_style(
    owner: str, values: Sequence[str], ignore: Sequence[str], *, soft: bool
) -> MaskStyle:
    """Return the style that options tell: values such as ``1+2`` or ``1-20``.

    Raises:
        XaibenchError: they are no values, exclude each other, or leave open what counts.
    """
    counted, left_out = (
        _read_values(f"{owner}[{option}={'+'.join(given)}]", given)
        for option, given in (("values", values), ("ignore", ignore))
    )
    if both := set(counted) & set(left_out):
        raise XaibenchError(
            f"{owner}[values={'+'.join(values)},ignore={'+'.join(ignore)}]: {min(both)} is in "
            "both; keep it in one."
        )
    if left_out and not counted:
        raise XaibenchError(
            f"{owner}[ignore={'+'.join(ignore)}]: say with values= what counts, for example "
            f"values=1,ignore={'+'.join(ignore)}."
        )
    if soft and counted:
        raise XaibenchError(f"{owner}: soft= and values= exclude each other; leave one out.")
    return MaskStyle(counted, left_out, soft)


def _read_values(option: str, given: Sequence[str]) -> tuple[int, ...]:
    found: set[int] = set()
    for text in given:
        match = _RANGE.fullmatch(text)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= _HIGHEST:
            raise XaibenchError(f"{option}: write values from 0 to {_HIGHEST}, as in 1+2 or 1-20.")
        found.update(range(first, last + 1))
    return tuple(sorted(found))
