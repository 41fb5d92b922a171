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
_BEFORE = re.compile(rf"(?P<word>{_WORDS})(?:[ _.-]+(?P<base>.+))?", re.IGNORECASE)
_IMAGE = r"images?|imgs?|photos?|pictures?|orig(?:inal)?|input|raw|scan"
_OF_IMAGE = re.compile(
    rf"(?:{_IMAGE})(?:[ _.-]+(?P<after>.+)|(?P<number>\d+))?|(?P<before>.+)[ _.-]+(?:{_IMAGE})",
    re.IGNORECASE,
)
_NEARLY_ALL, _FEW = 0.8, 3


def base_of(key: str) -> str:
    """Return the key of the image that a key would be a mask of; empty where it names none.

    >>> base_of("cat/7_mask_1"), base_of("9-GT"), base_of("mask_3"), base_of("3")
    ('cat/7', '9', '3', '')
    """
    base = _take_apart(key)[0]
    return "" if base.endswith("/") else base


def bare_of(key: str) -> str:
    """Return a key without the word that says that it is an image, which masks lack.

    >>> bare_of("cat/img_7"), bare_of("7-image"), bare_of("p1/image"), bare_of("cat/7")
    ('cat/7', '7', 'p1/', 'cat/7')
    """
    folder, slash, name = key.rpartition("/")
    match = _OF_IMAGE.fullmatch(name)
    return (
        folder
        + slash
        + (match["after"] or match["number"] or match["before"] or "" if match else name)
    )


def split_off_masks(
    images: Files,
) -> tuple[dict[str, list[Path]], dict[str, list[Path]], list[Path]]:
    """Part images from the masks beside them, ``x_mask.png``, ``x_seg_1.png`` and so on of ``x``.

    ``mask_7.png`` is the mask of ``img_7.png``, and ``mask.png`` that of ``image.png`` or of
    the only image in its folder.

    A name like that without its image is an image in its own right (``with_mask_1.jpg``), unless
    others in the folder have masks of that word.

    Returns:
        Images by key, masks by the key of their image, and masks without an image.

    Raises:
        XaibenchError: more masks lack an image than have one.
    """
    bases = _find_bases(images)
    words = {_kind(key) for key in bases}
    masks: dict[str, list[Path]] = {}
    plain: dict[str, list[Path]] = {}
    orphans: list[Path] = []
    for key, files in images.items():
        if key in bases:
            masks.setdefault(_root(key, bases), []).extend(files)
        elif _kind(key) in words:
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


def _find_bases(images: Collection[str]) -> dict[str, str]:
    """Return the key of its image for each mask."""
    bare: dict[str, list[str]] = {}
    for key in images:
        if (name := bare_of(key)) != key:
            bare.setdefault(name, []).append(key)
    found, alone = {}, {}
    for key in images:
        base, word = _take_apart(key)
        mine = [base] if base in images else bare.get(base, []) if word else []
        if len(mine) == 1 and mine[0] != key:
            found[key] = mine[0]
        elif word and base.endswith("/"):
            alone[key] = base
    return found | _beside_one(images, alone)


def _beside_one(images: Collection[str], alone: Mapping[str, str]) -> dict[str, str]:
    """Return the image of each mask that is called by the word alone, where its folder has one."""
    folders = {folder: list[str]() for folder in alone.values()}
    for key in images if folders else ():
        folder = key[: key.rfind("/") + 1]
        if folder in folders and key not in alone:
            folders[folder].append(key)
    return {key: folders[place][0] for key, place in alone.items() if len(folders[place]) == 1}


def _kind(key: str) -> tuple[str, bool]:
    """Return the word for a mask in a name, and whether there is more than the word."""
    return _take_apart(key)[1], bool(base_of(key))


@lru_cache(1 << 16)
def _take_apart(key: str) -> tuple[str, str]:
    """Return the key of the image and the word for a mask, both empty where there is none.

    Of a word alone the key is that of the folder, with a slash behind it.
    """
    folder, slash, name = key.rpartition("/")
    match = _AFTER.fullmatch(name) or _BEFORE.fullmatch(name)
    return (folder + slash + (match["base"] or ""), match["word"].lower()) if match else ("", "")


def _root(key: str, bases: Mapping[str, str]) -> str:
    """Follow a mask of a mask to the image."""
    while key in bases:
        key = bases[key]
    return key
