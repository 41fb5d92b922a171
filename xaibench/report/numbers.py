"""How tables and sentences write values, intervals and p-values."""

import numpy as np
from numpy.typing import ArrayLike

NONE = "—"
_NARROW, _SMALLEST_P = 0.02, 0.001
_TINY, _FINE = 1e-6, 0.01


def is_fine(values: ArrayLike) -> bool:
    """Tell whether all of some values are so small that three decimals hide them.

    >>> is_fine([0.004, -0.001]), is_fine([0.004, 0.4]), is_fine([0.0, float("nan")])
    (True, False, False)
    """
    return bool(_TINY < np.nan_to_num(np.abs(np.asarray(values, float))).max(initial=0) < _FINE)


def number(value: float, fine: bool = False) -> str:
    """Write a score: three decimals, or two figures where all of a column are tiny."""
    if np.isnan(value):
        return NONE
    return f"{value:.2g}" if fine and value else f"{value:.3f}"


def span(low: float, high: float, fine: bool = False) -> str:
    """Write an interval, with a third decimal where two hardly distinguish the ends.

    >>> span(0.38, 0.444), span(0.4012, 0.4093), span(float("nan"), 1)
    ('[0.38, 0.44]', '[0.401, 0.409]', '')
    """
    if np.isnan(low) or np.isnan(high):
        return ""
    if fine:
        return f"[{low:.2g}, {high:.2g}]"
    digits = 3 if high - low < _NARROW else 2
    # A small negative end would be written as -0.00.
    low, high = (round(end, digits) + 0.0 for end in (low, high))
    return f"[{low:.{digits}f}, {high:.{digits}f}]"


def with_interval(value: float, low: float, high: float) -> str:
    """Write a score and its interval, where it has one.

    >>> with_interval(0.41, 0.38, 0.444), with_interval(0.41, float("nan"), float("nan"))
    ('0.410 [0.38, 0.44]', '0.410')
    """
    return f"{number(value)} {span(low, high)}".strip()


def p_text(p: float) -> str:
    """Write a p-value.

    >>> p_text(0.0312), p_text(1e-5), p_text(float("nan"))
    ('p = 0.031', 'p < 0.001', 'not tested')
    """
    if np.isnan(p):
        return "not tested"
    return f"p = {p:.2g}" if p >= _SMALLEST_P else f"p < {_SMALLEST_P}"
