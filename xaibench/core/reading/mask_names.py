"""Which files are masks of which images, by the names that people give them."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path

from xaibench.core.errors import XaibenchError

Files = Mapping[str, list[Path]]
"""Files below a folder by their key: the path below it, ``/``-separated, without its ending."""

_WORDS = (
    r"masks?|seg(?:mentation)?s?|gts?|ground[ _-]?truths?|labels?|annotations?|annot|lesions?|"
    r"contours?|trimap|matte|roi"
)
_AFTER = re.compile(
    rf"(?P<base>.+?)[ _.-]*(?P<word>{_WORDS})(?:[ _.-]*\(?\d+\)?|[ _.-][a-z])?", re.IGNORECASE
)
_BEFORE = re.compile(rf"(?P<word>{_WORDS})[ _.-]+(?P<base>.+)", re.IGNORECASE)
_NEARLY_ALL, _FEW = 0.8, 3


def base_of(key: str) -> str:
    """Return the key of the image that a key would be a mask of; empty where it names none.

    >>> base_of("cat/7_mask_1"), base_of("9-GT"), base_of("mask_3"), base_of("3")
    ('cat/7', '9', '3', '')
    """
    return _take_apart(key)[0]


def split_off_masks(
    images: Files,
) -> tuple[dict[str, list[Path]], dict[str, list[Path]], list[Path]]:
    """Part images from the masks beside them, ``x_mask.png``, ``x_seg_1.png`` and so on of ``x``.

    A name like that without its image is an image in its own right (``with_mask_1.jpg``), unless
    others in the folder have masks of that word.

    Returns:
        Images by key, masks by the key of their image, and masks without an image.

    Raises:
        XaibenchError: more masks lack an image than have one.
    """
    bases = {key: base for key in images if (base := base_of(key)) in images}
    words = {_word(key) for key in bases}
    masks: dict[str, list[Path]] = {}
    plain: dict[str, list[Path]] = {}
    orphans: list[Path] = []
    for key, files in images.items():
        if key in bases:
            masks.setdefault(_root(key, bases), []).extend(files)
        elif base_of(key) and _word(key) in words:
            orphans += files
        else:
            plain[key] = files
    if len(orphans) > sum(map(len, masks.values())):
        raise XaibenchError(
            f"{orphans[0]}: this mask has no image beside it, nor have {len(orphans) - 1} others; "
            "remove or rename them."
        )
    return plain, masks, orphans


def companions_of(keys: Collection[str]) -> str:
    """Return an ending of names that is beside nearly every other key; empty without any.

    Whatever it is, a mask or a changed copy, what bears it is no image of its own. Numbers alone
    are none, as people count their images.

    >>> companions_of(["a", "a_x", "b", "b_x", "c", "c_x"])
    '_x'
    """
    known, found = set(keys), Counter[str]()
    for key in known:
        for end in range(len(key) - 1, max(key.rfind("/") + 1, 0), -1):
            if key[:end] in known and any(letter.isalpha() for letter in key[end:]):
                found[key[end:]] += 1
                break
    ending, count = found.most_common(1)[0] if found else ("", 0)
    bases = len(known) - count
    return ending if count >= max(_FEW, _NEARLY_ALL * bases) else ""


def _word(key: str) -> str:
    return _take_apart(key)[1]


@lru_cache(1 << 16)
def _take_apart(key: str) -> tuple[str, str]:
    """Return the key of the image and the word for a mask, both empty where there is none."""
    folder, slash, name = key.rpartition("/")
    match = _AFTER.fullmatch(name) or _BEFORE.fullmatch(name)
    return (folder + slash + match["base"], match["word"].lower()) if match else ("", "")


def _root(key: str, bases: Mapping[str, str]) -> str:
    """Follow a mask of a mask to the image."""
    while key in bases:
        key = bases[key]
    return key
