"""What the names of folders say: part of a split, images, annotations, or nothing of the kind."""

import re

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+")
_PARTS = {
    "train": "train", "training": "train", "trn": "train", "trainset": "train",
    "trainingset": "train", "validationset": "validation", "testingset": "test",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "valset": "validation", "test": "test", "testing": "test", "tst": "test", "testset": "test",
}  # fmt: skip
_IMAGES = frozenset({
    "image", "images", "img", "imgs", "jpegimages", "jpgimages", "picture", "pictures", "photo",
    "photos", "input", "inputs", "original", "originals", "orig", "raw",
})  # fmt: skip
_ANNOTATIONS = frozenset({
    "mask", "masks", "gt", "gts", "groundtruth", "groundtruths", "truth", "truths", "seg", "segs",
    "segmentation", "segmentations", "segmentationclass", "segmentationobject", "annotation",
    "annotations", "annot", "annots", "label", "labels", "box", "boxes", "bbox", "bboxes", "xml",
    "xmls", "manual", "matte", "mattes", "trimap", "trimaps", "target", "targets",
})  # fmt: skip
_KINDS = frozenset({"jpeg", "jpg", "png", "bmp", "tif", "tiff", "rgb"})
_FILLERS = frozenset({"set", "data", "dataset", "split", "part"})
_JUNK = frozenset({
    "@eadir", "@recycle", "@recently-snapshot", "@tmp", "#recycle", "#snapshot", "__macosx",
    "__pycache__", "thumbnails", "$recycle.bin", "system volume information", "lost+found",
    "recycler",
})  # fmt: skip


def words_of(name: str) -> list[str]:
    """Return the words of a name, lower-case.

    >>> words_of("JPEGImages"), words_of("train_set-2017")
    (['jpeg', 'images'], ['train', 'set', '2017'])
    """
    return [word.lower() for word in _WORD.findall(name)]


def part_of(name: str) -> str:
    """Return the part of a split that a folder is named after; empty if none.

    >>> part_of("Training"), part_of("valid"), part_of("test_images"), part_of("trains")
    ('train', 'validation', 'test', '')
    """
    told = [
        word for word in words_of(name) if not word.isdecimal() and word not in _FILLERS | _IMAGES
    ]
    return _PARTS.get(told[0], "") if len(told) == 1 else ""


def part_in(name: str) -> str:
    """Return the first part of a split that is in a name; empty if none.

    >>> part_in("instances_val2017"), part_in("labels")
    ('validation', '')
    """
    return next((_PARTS[word] for word in words_of(name) if word in _PARTS), "")


def names_images(name: str) -> bool:
    """Whether a folder is named after images as such, which makes it no class.

    >>> names_images("img"), names_images("JPEGImages"), names_images("cat images")
    (True, True, False)
    """
    words = set(words_of(name))
    return bool(words & _IMAGES) and words <= _IMAGES | _KINDS | _FILLERS


def names_annotations(name: str) -> bool:
    """Whether a folder is named after masks or boxes; a class may bear such a name, too.

    >>> names_annotations("Lung_Masks"), names_annotations("SegmentationClass")
    (True, True)
    """
    return bool(set(words_of(name)) & _ANNOTATIONS)


def topic_of(name: str) -> list[str]:
    """Return the words of a name but for those that say images, annotations, or nothing.

    >>> topic_of("cat_images"), topic_of("CatMasks"), topic_of("masks")
    (['cat'], ['cat'], [])
    """
    return [word for word in words_of(name) if word not in _ANNOTATIONS | _IMAGES | _FILLERS]


def is_junk(name: str) -> bool:
    """Whether a file or folder is hidden, or one that systems and servers leave behind."""
    return name.startswith(".") or name.casefold() in _JUNK
