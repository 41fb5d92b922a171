"""Which mask or box file belongs to which image, by where both lie and what they are called."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import composed
from xaibench.core.reading.folders.names import names_images, part_of
from xaibench.core.reading.images import without_ending
from xaibench.core.reading.mask_names import bare_of, base_of


class Pairs(NamedTuple):
    """The annotation files of each image, by its key, and those that belong to none."""

    files: Mapping[str, list[str]]
    orphans: list[str]


def pair(
    keys: Sequence[str], files: Iterable[str], of: str, plain: Collection[str], where: str
) -> Pairs:
    """Pair the files of one folder of annotations with images.

    Tried in turn, until one fits any image: the same path below both folders; the same without
    the names of parts; the same name, wherever it lies.

    Args:
        keys: images, by their path below the root without an ending.
        files: annotations, by their path below their folder.
        of: the folder whose images they belong to.
        plain: folders of images that stand for images as such, or for a part.
        where: what messages call the folder of annotations.

    Raises:
        XaibenchError: a file could belong to several images, or most belong to none.
    """
    keys = [key for key in keys if not of or key.startswith(f"{of}/")]
    annotations = {file: composed(without_ending(file)) for file in files}

    def below(path: str, *, parts: bool) -> str:
        kept = _drop(path, plain, parts=parts)
        start = _drop(of, plain, parts=parts) if of else ""
        return kept[len(start) :].lstrip("/")

    ways: list[tuple[Callable[[str], str], Callable[[str], str]]] = [
        (lambda key: below(key, parts=True), lambda name: name),
        (lambda key: below(key, parts=False), _without_parts),
        (_name, _name),
    ]
    for of_image, of_file in ways:
        if (found := _match(keys, annotations, of_image, of_file, where)).files:
            break
    else:
        raise XaibenchError(
            f"{where}: no file there is named like an image; the one of '{keys[0]}' would be "
            f"called {below(keys[0], parts=True)}, any ending."
        )
    if len(found.orphans) > len(annotations) - len(found.orphans):
        raise XaibenchError(
            f"{where}: {len(found.orphans)} of {len(annotations)} files there belong to no image, "
            f"such as {found.orphans[0]}; name them like the images, or remove them."
        )
    return found


def _match(
    keys: Sequence[str],
    annotations: Mapping[str, str],
    of_image: Callable[[str], str],
    of_file: Callable[[str], str],
    where: str,
) -> Pairs:
    owners: dict[str, list[str]] = {}
    bare: dict[str, list[str]] = {}
    for key in keys:
        owners.setdefault(of_image(key), []).append(key)
        bare.setdefault(bare_of(of_image(key)), []).append(key)
    found: dict[str, list[str]] = {}
    orphans: list[str] = []
    for file, name in annotations.items():
        told = of_file(name)
        base = base_of(told) or told
        mine = owners.get(told) or owners.get(base) or bare.get(base) or []
        if len(mine) > 1:
            raise XaibenchError(
                f"{where}: {file} could belong to '{mine[0]}' or to '{mine[1]}'; lay it out in the "
                "same subfolders as the images."
            )
        if mine:
            found.setdefault(mine[0], []).append(file)
        else:
            orphans.append(file)
    return Pairs(found, orphans)


def _drop(path: str, plain: Collection[str], *, parts: bool) -> str:
    """Return a path without its folders that are plain; those of parts stay if told so."""
    steps, kept = path.split("/"), list[str]()
    for place, step in enumerate(steps):
        told = "/".join(steps[: place + 1]) in plain
        if not told or (parts and part_of(step) and not names_images(step)):
            kept.append(step)
    return "/".join(kept)


def _without_parts(path: str) -> str:
    *folders, name = path.split("/")
    return "/".join([*(step for step in folders if not part_of(step)), name])


def _name(path: str) -> str:
    return path.rpartition("/")[2]
