"""Hints for a mistyped name."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the closest known name, or an empty string.

    >>> did_you_mean("gradcan", ["gradcam", "spn"])
    " (did you mean 'gradcam'?)"
    >>> did_you_mean("zzz", ["gradcam", "spn"])
    ''
    """
    close = get_close_matches(wrong, list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
