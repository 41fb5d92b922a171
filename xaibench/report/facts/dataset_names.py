"""What papers call datasets: ``busi`` is BUSI, ``folder[path=data/scans]`` is scans."""

from pathlib import PurePosixPath

from xaibench.core.errors import XaibenchError
from xaibench.core.spec import parse_spec

DATASET_NAMES = {
    "brest": "BrEaST",
    "bus_bra": "BUS-BRA",
    "bus_uclm": "BUS-UCLM",
    "busi": "BUSI",
    "chest_xray": "Chest X-rays",
    "chexlocalize": "CheXlocalize",
    "cifar10": "CIFAR-10",
    "coco": "COCO",
    "coco_yolo": "COCO (YOLO format)",
    "cub": "Caltech-UCSD Birds",
    "dogs_vs_cats": "Dogs vs. Cats",
    "isic2018": "ISIC 2018",
    "kvasir_seg": "Kvasir-SEG",
    "magnetic_tile": "Magnetic tiles",
    "mnist": "MNIST",
    "oxford_pets": "Oxford-IIIT Pet",
    "phantom": "Phantom",
    "skin_hfus": "Skin ultrasound",
    "stanford_dogs": "Stanford Dogs",
    "voc": "Pascal VOC 2012",
    "voc07": "Pascal VOC 2007",
    "wsol_images": "WSOL images",
}


def dataset_name(spec: str) -> str:
    """Return what a paper calls a dataset, with its options; of an unknown one its own name.

    >>> dataset_name("busi[per_class=150]"), dataset_name("folder[path=data/scans]")
    ('BUSI (per_class=150)', 'scans')
    >>> dataset_name("across[train=busi,test=bus_bra]"), dataset_name("mine")
    ('BUSI, tested on BUS-BRA', 'mine')
    """
    try:
        _, options = parse_spec(spec)
    except XaibenchError:  # of several, joined by commas
        return spec
    shown = {key: value for key, value in options.items() if key not in ("path", "train", "test")}
    listed = ", ".join(f"{key}={value}" for key, value in shown.items())
    return f"{bare_dataset_name(spec)} ({listed})" if listed else bare_dataset_name(spec)


def section_title(dataset: str, split: str) -> str:
    """Return dataset and split, as headings name them."""
    return f"{dataset_name(dataset)}, {split}"


def bare_dataset_name(spec: str) -> str:
    """Return a dataset's name without options, where these are written beside it.

    >>> bare_dataset_name("busi[per_class=150]"), bare_dataset_name("folder[path=scans/t.csv]")
    ('BUSI', 't.csv')
    """
    try:
        name, options = parse_spec(spec)
    except XaibenchError:
        return spec
    if name == "folder" and options.get("path"):
        return PurePosixPath(options["path"].replace("\\", "/")).name or options["path"]
    if name == "across" and {"train", "test"} <= options.keys():
        train, test = (bare_dataset_name(options[part]) for part in ("train", "test"))
        return f"{train}, tested on {test}"
    return DATASET_NAMES.get(name, name)
