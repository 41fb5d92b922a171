"""CIFAR-10: small photographs of ten kinds of things, without masks."""

from functools import lru_cache, partial
from pathlib import Path

from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import check_integrity

from xaibench.core.data import Dataset, Picture, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.reading.vision_fetch import download
from xaibench.core.registry import dataset

_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_PARTS = ("train", "test")


def fetch_cifar10(root: Path) -> Path:
    """Download CIFAR-10 by torchvision unless all of it is there; return its folder.

    Raises:
        XaibenchError: no connection, no space, or an archive that isn't intact.
    """
    folder = _find(root) or root / CIFAR10.base_folder
    if _bad_file(folder):
        place = folder.parent
        load = partial(CIFAR10, place, download=True)
        download(load, place, CIFAR10.url, folder / "data_batch_1")
    return folder


@dataset(
    paper="krizhevsky2009cifar",
    fetch=fetch_cifar10,
    recipe={"weights": "none", "image_size": 32, "augmentation": ("crop", "horizontal_flip")},
)
def cifar10(root: Path, *, classes: tuple[str, ...] = _CLASSES, per_class: int = 0) -> Dataset:
    """Read CIFAR-10 from its batches for Python, anywhere below ``root``.

    Args:
        root: folder that holds all data, or ``cifar-10-batches-py`` itself.
        classes: those to use; labels count in this order.
        per_class: keep the first so many of each class in each of training and test; 0 keeps all.

    Raises:
        XaibenchError: it is not there or damaged, or an option is wrong.
    """
    classes = choose_classes("cifar10", _CLASSES, classes)
    check_per_class("cifar10", per_class)
    folder = _find(root)
    if folder is None:
        layout = f"{CIFAR10.base_folder} (with data_batch_1 and so on)"
        get = f"run `xaibench fetch cifar10`, unpack {CIFAR10.url} there"
        raise not_found("cifar10", layout, root, get)
    samples = (
        Sample(f"{part}/{number:05d}", folder, classes.index(name), part=part)
        for part in _PARTS
        for number, name in enumerate(map(_CLASSES.__getitem__, _load(folder, part).targets))
        if name in classes
    )
    return Dataset(classes, keep_first(samples, per_class), partial(_read, folder=folder))


def _read(sample: Sample, *, folder: Path) -> Picture:
    return Picture(_load(folder, sample.part).data[int(sample.id.rpartition("/")[2])], None)


def _find(root: Path) -> Path | None:
    return find_folder(root.absolute(), lambda folder: folder.name == CIFAR10.base_folder)


@lru_cache(maxsize=len(_PARTS))
def _load(folder: Path, part: str) -> CIFAR10:
    # The batches are pickles, which run whatever is in them: none is opened before the
    # checksums of all hold, and torchvision checks again.
    if file := _bad_file(folder):
        raise XaibenchError(
            f"{folder / file}: missing, or not the official file (its checksum is another); run "
            "`xaibench fetch cifar10`."
        )
    return CIFAR10(folder.parent, train=part == "train")


def _bad_file(folder: Path) -> str | None:
    official = [*CIFAR10.train_list, *CIFAR10.test_list, tuple(CIFAR10.meta.values())[::2]]
    return next((name for name, md5 in official if not check_integrity(folder / name, md5)), None)
