"""Letters that matplotlib's own font lacks, such as Chinese: drawn by a font that has them."""

import warnings
from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, fontManager, get_font
from matplotlib.text import Text

FAMILY = "DejaVu Sans"
"""Comes with matplotlib, so that pictures are the same everywhere."""
_PLACEHOLDER = "Last Resort"  # comes with matplotlib, too: frames that tell the script
_REGULAR = (400, "normal", "regular", "medium", "book")

# One warning a letter would fill the terminal; where no font has a letter, its box says so.
warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from", category=UserWarning)


def complete_fonts(figure: Figure) -> bool:
    """Give texts with letters that `FAMILY` lacks a family of the system that has them.

    Ticks have their texts only after the figure's layout.

    Returns:
        Whether any text has changed.
    """
    changed = False
    for text in figure.findobj(Text):
        lacking = frozenset(filter(str.isprintable, text.get_text())) - _known(text.get_text())
        if lacking and (families := families_for(lacking)):
            text.set_fontfamily([FAMILY, *families])
            changed = True
    return changed


@cache
def families_for(letters: frozenset[str]) -> tuple[str, ...]:
    """Return installed families that together have as many of some letters as there are."""
    found, left = [], letters
    while left:
        best = max(_candidates(), key=lambda entry: len(_in(entry.fname, left)))
        has = _in(best.fname, left)
        if not has:
            break
        found.append(best.name)
        left -= has
    return tuple(found)


@cache
def _candidates() -> list[FontEntry]:
    upright = [
        each
        for each in fontManager.ttflist
        if each.style == "normal"
        and each.weight in _REGULAR
        and not each.name.startswith(_PLACEHOLDER)
    ]
    return sorted(upright, key=lambda each: (each.name != FAMILY, each.name, each.fname))


def _known(letters: str) -> frozenset[str]:
    own = fontManager.findfont(FAMILY)
    return _in(own, frozenset(letters))


@cache
def _in(file: str, letters: frozenset[str]) -> frozenset[str]:
    """Return which letters a font has; none if it can't be read."""
    try:
        font = get_font(file)
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(letter for letter in letters if font.get_char_index(ord(letter)))
