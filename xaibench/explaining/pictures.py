"""The pictures that a user names, each under a name of its own, and what a model sees of them."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xaibench.core.data import Picture
from xaibench.core.errors import XaibenchError
from xaibench.core.explanation import PictureFile
from xaibench.core.files import exists, real_path
from xaibench.core.loading import resize_picture
from xaibench.core.reading.annotations import list_files, natural_order
from xaibench.core.reading.images import IMAGE_ENDINGS, read_image
from xaibench.core.reading.mask_names import split_off_masks
from xaibench.core.visible import is_visible, visible
from xaibench.explaining.stored_model import StoredModel

_ENDINGS = IMAGE_ENDINGS | {".npy"}


def find_pictures(
    named: Sequence[str], skip: Path
) -> tuple[Sequence[PictureFile], Mapping[str, str]]:
    """Return the pictures behind files, folders (at any depth) and patterns, each once.

    Masks beside the pictures of a folder (``x_mask.png`` of ``x.png``) are passed over.

    Args:
        named: as the user wrote them; a pattern is one that the shell did not expand.
        skip: a folder below which nothing is a picture: where results go.

    Returns:
        The pictures in order, and for what is none the reason.
    """
    found: dict[Path, Path] = {}
    failures: dict[str, str] = {}
    for text in named:
        paths = list(_expand(text, real_path(skip)))
        if not paths:
            failures[text] = _why_none(text)
        for path in paths:
            # The links' own names are kept: they are what the user knows.
            found.setdefault(real_path(path), real_path(path.parent) / path.name)
    fit = [path for path in found.values() if is_visible(str(path))]
    for path in found.values():
        if not is_visible(str(path)):
            failures[visible(str(path), lines=False)] = (
                "its name has control characters, or bytes that are no UTF-8; rename it."
            )
    return _name(fit), failures


def note_training(files: Sequence[PictureFile], learned: frozenset[str]) -> str:
    """Say which pictures have names of the model's training images; empty where none has."""
    known = [file for file in files if any(name in learned for name in _endings(file.path))]
    if not known:
        return ""
    return (
        f"note: {len(known)} of {len(files)} pictures, such as {known[0].path.name}, are named as "
        "training images of this model; on those its confidence may be higher than on new images."
    )


def _endings(path: Path) -> Iterator[str]:
    """Yield a path without its suffix, from the name alone to the whole."""
    parts = path.with_suffix("").parts
    return ("/".join(parts[start:]) for start in reversed(range(len(parts))))


def read_pictures(
    files: Iterable[PictureFile], channels: int, failures: MutableMapping[str, str]
) -> Iterator[tuple[PictureFile, NDArray[np.uint8]]]:
    """Yield pictures ``(H, W, C)``; why others can't be read is noted by their names."""
    for file in files:
        try:
            yield file, read_image(file.path, channels=channels)
        except XaibenchError as error:
            failures[file.name] = str(error)


def square_of(picture: NDArray[np.uint8], stored: StoredModel) -> NDArray[np.uint8]:
    """Return the square that a model is shown of a picture ``(H, W, C)``."""
    shown = picture[stored.kept(*picture.shape[:2])]
    return resize_picture(Picture(shown, None), stored.image_size).image


def _expand(text: str, skip: Path) -> Iterator[Path]:
    path = Path(text).expanduser()
    if path.is_dir():
        pictures, _, _ = split_off_masks(list_files(path, _ENDINGS, frozenset({skip})))
        for files in pictures.values():
            yield from files
    elif exists(path):  # what is no plain file is named once it is opened
        yield from [path] if path.suffix.lower() in _ENDINGS else []
    elif _is_pattern(text):
        matches = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        for match in sorted(map(str, matches), key=natural_order):
            if skip not in real_path(Path(match)).parents and Path(match).name[0] != ".":
                yield from _expand(match, skip)


def _why_none(text: str) -> str:
    endings = ", ".join(sorted(_ENDINGS))
    path = Path(text).expanduser()
    if exists(path) and not path.is_dir():
        return f"not an image: its name ends in none of {endings}."
    if path.is_dir() or _is_pattern(text):
        return f"no pictures there ({endings})."
    return "no such file; name pictures, folders or patterns."


def _is_pattern(text: str) -> bool:
    return bool(set("*?[") & set(text))


def _name(paths: Sequence[Path]) -> Sequence[PictureFile]:
    """Call each by its path below their common folder; where two differ in endings, with these."""
    if not paths:
        return ()
    common = os.path.commonpath([path.parent for path in paths])
    names = [path.relative_to(common) for path in paths]
    count = Counter(name.with_suffix("") for name in names)
    return [
        PictureFile(
            (name if count[name.with_suffix("")] > 1 else name.with_suffix("")).as_posix(), path
        )
        for name, path in zip(names, paths, strict=True)
    ]
