"""Texts that two machines wrote: equal words and counts, other numbers but for the last digit."""

import re

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]\d)")


def unlike(here, there):
    """Yield what differs between two texts by more than a unit of the last digit written.

    Libraries add in another order on another processor, so that a value right between two roundings
    may be written as either.
    """
    lines = here.splitlines(), there.splitlines()
    if len(lines[0]) != len(lines[1]):
        yield f"{len(lines[0])} lines", f"{len(lines[1])} lines"
        return
    for one, other in zip(*lines, strict=True):
        if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
            yield one, other
            continue
        for first, second in zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True):
            gap, unit = abs(float(first) - float(second)), min(_unit(first), _unit(second))
            if gap > 1.5 * unit:
                yield first, second


def _unit(number):
    digits, _, power = number.partition("e")
    if digits == number and "." not in number:
        return 0  # a count
    return 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
