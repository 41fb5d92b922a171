"""What must not pass for classes: parts, masks, copies, and folders that mean something else."""

import re
from collections.abc import Iterable, Mapping
from itertools import combinations, permutations

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.folders.arrangement import Arrangement, LookLikeMasks
from xaibench.core.reading.folders.names import names_images, part_in, part_of, words_of
from xaibench.core.reading.mask_names import bare_of, companions_of

_NEARLY_ALL, _FEWEST, _MOST_CLASSES = 0.9, 3, 40
_SPARSE = 4
_LEAST = 2
_COPY = frozenset({"copy", "backup", "bak"})
_Places = dict[tuple[str, str], str]
"""Files of one kind by folder and number."""
_EXPORTED = re.compile(r"task-\d+-annotation-\d+-by-.+")


def check_arrangement(place: str, found: Arrangement) -> None:
    """Refuse a layout in which what would be classes may be something else.

    Raises:
        XaibenchError: it may; the message says what to do.
    """
    if found.beside_parts:
        raise XaibenchError(
            f"{place}: it holds parts of a split, and beside them {found.beside_parts[0]}, which "
            "is none; move that elsewhere, or name the folders that are classes with classes=A+B."
        )
    if not found.classes:
        raise XaibenchError(
            f"{place}: {len(found.loose)} images, but no subfolders that could be classes; make a "
            "subfolder for each class, or name the classes in a table with the columns image, "
            "label and mask."
        )
    for name in found.classes:
        if names_images(name):
            raise XaibenchError(
                f"{place}: {name} would be a class beside {_others(found.classes, name)}; keep "
                "only images and masks there, or name the classes with classes=A+B."
            )
        if within := found.inner.get(name, set()) & set(found.classes):
            raise XaibenchError(
                f"{place}: {name} would be a class and holds a folder {min(within)}, as another "
                f"class is called; move {name} elsewhere, or name the classes with classes=A+B."
            )
        if original := _copied_from(name, found.classes):
            raise XaibenchError(
                f"{place}: {name} would be a class beside {original}, whose copy it seems to be; "
                "move it elsewhere, or name the classes with classes=A+B."
            )
    repeated = set.intersection(*found.inner.values()) if len(found.classes) > 1 else set()
    if len(repeated) > 1:
        inner = " and ".join(sorted(repeated)[:2])
        raise XaibenchError(
            f"{place}: the folders {inner} lie in each of {_some(found.classes)}, so that either "
            f"could be the classes; say which with classes={'+'.join(found.classes[:2])} (and so "
            "on), put the classes on top, or call parts of a split train, validation and test."
        )
    _check_training(place, found)
    _check_parted(place, found.classes)


def _check_training(place: str, found: Arrangement) -> None:
    """Refuse a class that some part has but not the one to train on."""
    trained = {home.label for home in found.homes.values() if home.part == "train"}
    lacking = [name for name in found.classes if trained and name not in trained]
    if lacking:
        raise XaibenchError(
            f"{place}: the class {lacking[0]} has no training images; name the classes to use "
            f"with classes={'+'.join(sorted(trained)[:2])} (and so on)."
        )


def _check_parted(place: str, classes: Iterable[str]) -> None:
    """Refuse classes whose names differ by a part of a split alone, as train_cat and test_cat."""
    told: dict[tuple[str, ...], tuple[str, str]] = {}
    for name in classes:
        part = part_in(name)
        topic = tuple(word for word in words_of(name) if part_of(word) != part)
        other, kind = told.setdefault(topic, (name, part))
        if topic and part and kind and part != kind:
            raise XaibenchError(
                f"{place}: {other} and {name} would be two classes, and seem to be parts of one; "
                "put them below folders called train, validation and test, or say "
                f"classes={other}+{name} (and so on) if these are classes."
            )


def check_exported_masks(place: str, files: Iterable[str]) -> None:
    """Refuse Label Studio's export of masks as PNG: their names don't say which image they are of.

    Raises:
        XaibenchError: there is such a mask.
    """
    if found := next((file for file in files if _EXPORTED.fullmatch(_stem(file))), None):
        raise XaibenchError(
            f"{place}: {found} is a mask of Label Studio's PNG export, whose name doesn't say of "
            "which image; export the project as JSON, and put that file beside the images."
        )


def check_keys(place: str, keys: Mapping[str, list[str]], look_like_masks: LookLikeMasks) -> None:
    """Refuse classes whose images look like companions of other images.

    Args:
        place: the folder.
        keys: by class, the names of its images without class, part and ending, and their files.
        look_like_masks: asked where names of two classes repeat.

    Raises:
        XaibenchError: the names of one class repeat those of another, and the files look like
            masks or the names are no mere numbers; one ending is beside nearly every image; or
            one folder repeats the names of the one that it lies in, or looks like masks.
    """
    for name, files in keys.items():
        stems = [file.rpartition(".")[0] for file in files]
        if ending := companions_of(stems):
            raise XaibenchError(
                f"{place}: in the class {name} nearly every image has another beside it whose name "
                f"ends in '{ending}'; call masks _mask, move copies elsewhere, or say "
                f"classes={'+'.join(list(keys)[:2])} (and so on) to take all as images."
            )
    if len(keys) > _MOST_CLASSES:
        return
    stems_of = {name: {_stem(file) for file in files} for name, files in keys.items()}
    for one, other in combinations(keys, 2):
        fewer = min(len(stems_of[one]), len(stems_of[other]))
        shared = stems_of[one] & stems_of[other]
        if fewer < _FEWEST or len(shared) < _NEARLY_ALL * fewer:
            continue
        masks = [look_like_masks(keys[name]) for name in (one, other)]
        if masks[0] != masks[1] or not _are_counted(shared):
            raise XaibenchError(
                f"{place}: {len(shared)} images of {one} and {other} have the same names, as "
                f"images and their masks do; name the folder of masks with masks=, or say "
                f"classes={one}+{other} if these are classes."
            )
    _check_folders(place, keys, look_like_masks)
    _check_kinds(place, keys, look_like_masks)


def _check_folders(
    place: str, keys: Mapping[str, list[str]], look_like_masks: LookLikeMasks
) -> None:
    """Refuse folders of which some hold masks, or the images of others once more."""
    settled = f"say classes={'+'.join(list(keys)[:2])} (and so on) if these are images"
    folders: dict[str, list[str]] = {}
    for file in (file for files in keys.values() for file in files):
        folders.setdefault(file.rpartition("/")[0], []).append(file)
    for name, files in folders.items():
        above = {_stem(file) for file in folders.get(name.rpartition("/")[0], ())}
        shared = above & {_stem(file) for file in files}
        if len(shared) >= max(_FEWEST, _NEARLY_ALL * len(files)):
            raise XaibenchError(
                f"{place}: {name} repeats the names of the images above it, as smaller copies and "
                f"results do; move it elsewhere, call it masks, or {settled}."
            )
    if len(folders) > _MOST_CLASSES:
        return
    masks = [name for name, files in folders.items() if look_like_masks(files)]
    if masks and (images := [name for name in folders if name not in masks]):
        raise XaibenchError(
            f"{place}: what lies in {masks[0]} looks like masks, and what lies in {images[0]} "
            f"doesn't; call that folder masks, name it with masks=, or {settled}."
        )


def _check_kinds(place: str, keys: Mapping[str, list[str]], look_like_masks: LookLikeMasks) -> None:
    """Refuse masks beside images that are called alike but for a word, as 7.png and 7_x.png."""
    kinds: dict[str, _Places] = {}
    for file in (file for files in keys.values() for file in files):
        letters, digits = _parse(_stem(file))
        kinds.setdefault(letters, {})[file.rpartition("/")[0], digits] = file
    if len(kinds) > _MOST_CLASSES:
        return
    for one, other in permutations(kinds, 2):
        beside = _find_beside(kinds[one], kinds[other])
        if len(beside) < max(_LEAST, _NEARLY_ALL * len(kinds[one])):
            continue
        mask, image = beside[0]
        masks = look_like_masks(kinds[one].values()) and not look_like_masks(kinds[other].values())
        if masks or (len(beside) >= _FEWEST and bare_of(_stem(image)) != _stem(image)):
            said = "looks like a mask" if masks else "seems to be another picture"
            raise XaibenchError(
                f"{place}: {mask} {said} of {image}, and so do others called like it; call masks "
                f"by the image's name and _mask, move copies elsewhere, or say "
                f"classes={'+'.join(list(keys)[:2])} (and so on) if these are images."
            )


def _find_beside(one: _Places, other: _Places) -> list[tuple[str, str]]:
    """Return the files of one kind that lie beside another with the same number, and that one.

    Files without any number, such as seg.png, lie beside all in their folder.
    """
    alone = not any(digits for _, digits in one)
    folders = {folder: file for (folder, _), file in other.items()} if alone else {}
    pairs = ((file, other.get(at) or folders.get(at[0], "")) for at, file in one.items())
    return [(file, image) for file, image in pairs if image]


def _parse(stem: str) -> tuple[str, str]:
    """Return the letters of a name, and its digits."""
    digits = "".join(letter for letter in stem if letter.isdecimal())
    return "".join(letter for letter in stem if not letter.isdecimal()), digits


def _copied_from(name: str, classes: Iterable[str]) -> str:
    """Return the class that a name calls itself a copy of; empty if none."""
    words = words_of(name)
    told = [word for word in words if word not in _COPY and not word.isdecimal()]
    same = (each for each in classes if each != name and words_of(each) == told)
    return next(same, "") if set(words) & _COPY else ""


def _are_counted(stems: Iterable[str]) -> bool:
    """Whether names are numbers with the same letters around them, and about as many as images."""
    frames, numbers = set(), []
    for letters, digits in map(_parse, stems):
        frames.add(letters)
        numbers.append(int(digits) if digits else -1)
    spread = max(numbers) - min(numbers) + 1
    return len(frames) == 1 and min(numbers) >= 0 and spread <= _SPARSE * len(numbers)


def _stem(file: str) -> str:
    return file.rpartition("/")[2].rpartition(".")[0]


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_FEWEST]) + (" ..." if len(listed) > _FEWEST else "")


def _others(names: Iterable[str], name: str) -> str:
    return _some(each for each in names if each != name) or "nothing"
