"""Maps of layers: which grade of relevance each gray has, or each layer's own mask."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from xaibench.core.data import MaskLayer
from xaibench.core.errors import XaibenchError

Grades = Mapping[int | str, int]
"""Grades by grays, or by names of layers."""
_LOW, _HIGH, _GRAYS = -100, 100, 256


def read_grades(owner: str, pairs: Sequence[str]) -> Grades:
    """Read ``255:3`` or ``epidermis:3``, all of one kind.

    >>> read_grades("it", ["255:3", "0:-1"])
    {255: 3, 0: -1}
    >>> read_grades("it", ["epidermis:3", "dermis:1"])
    {'epidermis': 3, 'dermis': 1}

    Raises:
        XaibenchError: a pair that is none, a gray or a grade out of range, or both kinds.
    """
    found: dict[int | str, int] = {}
    written = f"{owner}[grades={'+'.join(pairs)}]"
    for pair in pairs:
        name, _, grade = pair.rpartition(":")
        whole = grade.removeprefix("-").isdecimal() and _LOW <= int(grade) <= _HIGH
        if not name or not whole or name in map(str, found):
            raise XaibenchError(
                f"{written}: '{pair}' is no gray and grade such as 255:3, nor layer and grade "
                "such as epidermis:3, each once."
            )
        found[int(name) if name.isdecimal() else name] = int(grade)
    if len({type(key) for key in found}) > 1 or any(
        isinstance(key, int) and key >= _GRAYS for key in found
    ):
        raise XaibenchError(f"{written}: give grays from 0 to 255 alone, or names alone.")
    return found


def layer_masks(folder: Path, label: str, stem: str, grades: Grades, rest: int) -> list[MaskLayer]:
    """Return the masks of an image's layers: the highest grade wins, and the rest has its own.

    They are ``folder/LAYER/LABEL/STEM.png``, or ``folder/LABEL/STEM_LAYER.png``; an image may lack
    some of them.

    Raises:
        XaibenchError: it has none, or ``rest`` would hide a layer.
    """
    found = []
    for name, grade in grades.items():
        places = folder / str(name) / label / f"{stem}.png", folder / label / f"{stem}_{name}.png"
        found += [MaskLayer(place, grade) for place in places if place.is_file()][:1]
    if not found:
        names = ", ".join(map(str, grades))
        raise XaibenchError(
            f"{folder / label}: {stem} has a mask of none of the layers {names}; add "
            f"{stem}_{next(iter(grades))}.png, or another one."
        )
    if rest > min(grades.values()):
        raise XaibenchError(f"rest={rest}: layers have lower grades, which would never show.")
    # Of every gray of one of them, which are all pixels.
    return [*found, MaskLayer(found[0].path, rest, tuple(range(_GRAYS)))]
