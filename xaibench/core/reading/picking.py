"""Which of several objects a picture stands for."""

from collections.abc import Mapping
from typing import Literal, TypeVar

Objects = Literal["single", "largest", "all"]
"""What an image of several objects stands for; `name_picture` chooses one class, all needs none."""
_Class = TypeVar("_Class")


def name_picture(areas: Mapping[_Class, float], objects: Objects) -> _Class | None:
    """Return the one class that a picture of several objects stands for, or None.

    Args:
        areas: how much of the picture each class covers, those that cover some of it.
        objects: ``largest`` takes the class that covers most (the first of equals), ``single``
            none where there are several.

    >>> name_picture({"cat": 0.2, "dog": 0.3}, "largest")
    'dog'
    >>> name_picture({"cat": 0.2, "dog": 0.2}, "largest")
    'cat'
    >>> name_picture({"cat": 0.2, "dog": 0.3}, "single") is None
    True
    """
    if not areas or (objects == "single" and len(areas) > 1):
        return None
    return max(areas, key=lambda name: areas[name])
