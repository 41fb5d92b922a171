r"""Text from outside, shown so that it can do nothing: no escape sequence, no hidden letter.

Names of files and classes, specs, tables and the errors of plugins may hold anything. A terminal
obeys control characters; marks of direction make a name look like another.
"""

import re

_LINES = "\n\t"
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # controls
    "\u202a-\u202e\u2066-\u2069"  # the direction of all that follows
    "\u2028\u2029\ufeff"  # lines that only some programs break, and a mark of the byte order
    "\ud800-\udfff]"  # bytes of a file's name that aren't UTF-8
)


def visible(text: str, *, lines: bool = True) -> str:
    r"""Return text whose control characters are written as escapes.

    Args:
        text: any.
        lines: leave line breaks and tabs as they are.

    >>> visible("a\x1b[2Jb"), visible("a\nb"), visible("a\nb", lines=False)
    ('a\\x1b[2Jb', 'a\nb', 'a\\nb')
    """
    return _HIDDEN.sub(lambda found: _escape(found[0], lines=lines), text)


def visible_json(text: str) -> str:
    """Return JSON that says the same without any hidden letter, but for line breaks."""
    return _HIDDEN.sub(
        lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text
    )


def is_visible(name: str) -> bool:
    r"""Whether a name says all that is in it.

    >>> [is_visible(name) for name in ("ä 1.png", "a\tb", "\x1b[2J", "\udcff", "a\u202eb")]
    [True, False, False, False, False]
    """
    return _HIDDEN.search(name) is None


def _escape(letter: str, *, lines: bool) -> str:
    if lines and letter in _LINES:
        return letter
    return letter.encode("unicode_escape", "backslashreplace").decode()
