"""Rounding of what is reported, so that no last digit decides anything.

Libraries for linear algebra add in another order on another processor, which changes the last
digits of a mean, an interval or a p-value. Means and p-values are rounded before anything is
decided by them (ranks, letters, signs), and numbers when a table is made. Scores keep all digits.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

DIGITS = 10
"""Significant digits of reported numbers."""
P_DIGITS = 6
"""Significant digits of p-values, which are found by bisection."""
# Double precision leaves about 16 digits, of which sums of many terms lose a few.
_RELIABLE = 13
_GUARD = 3


def rounded(values: ArrayLike, scale: ArrayLike = 0.0, digits: int = DIGITS) -> NDArray[np.float64]:
    """Round to significant digits, but to none that the terms' own rounding error reaches.

    A number that differs from a tie between two roundings only by rounding error is rounded up, on
    every machine.

    Args:
        values: any shape; NaN and infinity stay.
        scale: size of the terms that the values are sums or differences of, of a shape that goes
            with ``values``: digits beyond 1e-13 of it are error.
        digits: significant ones to keep.

    >>> rounded([0.1 + 0.2, 1 / 3, -2e-17, 1234.5], scale=1).tolist()
    [0.3, 0.3333333333, 0.0, 1234.5]
    >>> rounded([2.5e-18, 0.12345678905 - 1e-17]).tolist()
    [2.5e-18, 0.1234567891]
    """
    table, sizes = np.broadcast_arrays(np.asarray(values, float), np.asarray(scale, float))
    found = np.array(
        [
            _round(value, size, digits)
            for value, size in zip(table.ravel().tolist(), sizes.ravel().tolist(), strict=True)
        ],
        float,
    )
    return found.reshape(table.shape)


def negligible(values: ArrayLike, scale: ArrayLike) -> NDArray[np.bool_]:
    """Tell which sums or differences of terms of that size are zero but for rounding error.

    >>> negligible([0.1 + 0.2 - 0.3, 1e-9], 0.3).tolist()
    [True, False]
    """
    return np.asarray(np.abs(values) <= 10.0**-_RELIABLE * np.asarray(scale, float))


def rounded_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose floating point columns are `rounded`, to be written.

    >>> rounded_table(pd.DataFrame({"name": ["a"], "value": [0.1 + 0.2]})).to_dict("list")
    {'name': ['a'], 'value': [0.3]}
    """
    real = table.select_dtypes(np.floating).columns
    return table.assign(**{name: rounded(table[name].to_numpy(float)) for name in real})


def _round(value: float, scale: float, digits: int) -> float:
    if not value or not math.isfinite(value):
        return value
    places = digits - 1 - _magnitude(value)
    if scale and math.isfinite(scale):
        places = min(places, _RELIABLE - 1 - _magnitude(scale))
    # Twice, as the first step moves what lies a rounding error below a tie onto it; from there it
    # goes away from zero, which the nearest float to a tie may not.
    settled = round(value, places + _GUARD)
    tie = math.copysign(10.0 ** -(places + _GUARD) / 10, settled)
    return round(settled + tie, places) + 0.0


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value)))
