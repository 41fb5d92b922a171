"""What must not pass for classes: parts, masks, copies, and folders that mean something else."""

from collections.abc import Iterable, Mapping
from itertools import combinations

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.folders.arrangement import Arrangement, LookLikeMasks
from xaibench.core.reading.folders.names import names_images
from xaibench.core.reading.mask_names import companions_of

_NEARLY_ALL, _FEWEST, _MOST_CLASSES = 0.9, 3, 40
_SPARSE = 4


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
    repeated = set.intersection(*found.inner.values()) if len(found.classes) > 1 else set()
    if len(repeated) > 1:
        inner = " and ".join(sorted(repeated)[:2])
        raise XaibenchError(
            f"{place}: the folders {inner} lie in each of {_some(found.classes)}, so that either "
            f"could be the classes; say which with "
            f"classes={'+'.join(found.classes[:2])} (and so on), or put the classes on top."
        )
    _check_training(place, found)


def _check_training(place: str, found: Arrangement) -> None:
    """Refuse a class that some part has but not the one to train on."""
    trained = {home.label for home in found.homes.values() if home.part == "train"}
    lacking = [name for name in found.classes if trained and name not in trained]
    if lacking:
        raise XaibenchError(
            f"{place}: the class {lacking[0]} has no training images; name the classes to use "
            f"with classes={'+'.join(sorted(trained)[:2])} (and so on)."
        )


def check_keys(place: str, keys: Mapping[str, list[str]], look_like_masks: LookLikeMasks) -> None:
    """Refuse classes whose images look like companions of other images.

    Args:
        place: the folder.
        keys: by class, the names of its images without class, part and ending, and their files.
        look_like_masks: asked where names of two classes repeat.

    Raises:
        XaibenchError: the names of one class repeat those of another, and the files look like
            masks or the names are no mere numbers; or one ending stands beside nearly every image.
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


def _are_counted(stems: Iterable[str]) -> bool:
    """Whether names are numbers with the same letters around them, and about as many as images."""
    frames, numbers = set(), []
    for stem in stems:
        digits = "".join(letter for letter in stem if letter.isdecimal())
        frames.add("".join(letter for letter in stem if not letter.isdecimal()))
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
