"""CheXlocalize: chest X-rays of CheXpert with outlines of ten findings, one of them or all."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xaibench.core.data import ClassLabel, Dataset, Mask, MaskLayer, Picture, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.chexlocalize_files import (
    FINDINGS,
    IN_TABLES,
    Radiograph,
    read_radiographs,
)
from xaibench.core.reading.choice import check_per_class, keep_first
from xaibench.core.reading.exports.coco_json import fill_coco
from xaibench.core.reading.images import read_image
from xaibench.core.reading.mask_style import MaskStyle
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.reading.several_labels import read_several
from xaibench.core.registry import dataset
from xaibench.core.several_labels import several_labels
from xaibench.core.suggest import did_you_mean

_ALL = "all"
_PAGE = "https://github.com/rajpurkarlab/cheXlocalize"


@dataset(paper="saporta2022chexlocalize")
def chexlocalize(
    root: Path,
    *,
    finding: str = "Pleural Effusion",
    part: Literal["both", "validation", "test"] = "both",
    train: str = "",
    per_class: int = 0,
) -> Dataset:
    """Read X-rays with the radiologists' outlines of a finding, or with those of all ten.

    ``CheXpert/val/patient64541/study1/view1_frontal.jpg`` has a row in ``CheXpert/val_labels.csv``
    and outlines in ``CheXlocalize/gt_segmentations_val.json``; ``test`` has the same structure.
    Images of a patient stay in one part. The data are given out after registration alone, and hold
    nothing to train on: name CheXpert's training table by ``train``, with ``--split official``,
    take a model that comes trained, or ``--test-dataset chexlocalize``.

    Args:
        root: folder that holds all data, or the one that holds CheXpert and CheXlocalize.
        finding: one of the ten that are outlined, whose absence is the other class; ``all`` gives
            each image a label and a mask for each of them, by the names of CheXpert's tables.
        part: keep the images of one part alone, as a test set of its own.
        train: CheXpert's training table, below ``root``, whose images become the training part;
            with ``finding=all`` and both parts.
        per_class: keep the first so many images of each class and part; 0 keeps all.

    Raises:
        XaibenchError: it is not there or not complete, or there is no such finding.
    """
    if finding not in (*FINDINGS, _ALL):
        raise XaibenchError(
            f"chexlocalize[finding={finding}]: no such finding{did_you_mean(finding, FINDINGS)}; "
            f"choose among {', '.join(FINDINGS)}."
        )
    check_per_class("chexlocalize", per_class)
    if finding == _ALL and per_class:
        raise XaibenchError(
            f"chexlocalize[finding=all,per_class={per_class}]: an image has several findings, or "
            "none; leave per_class out."
        )
    if train and (finding != _ALL or part != "both"):
        raise XaibenchError(
            f"chexlocalize[train={train}]: a training table goes with finding=all and both parts."
        )
    folder = find_folder(
        root, lambda place: (place / "CheXlocalize").is_dir() and (place / "CheXpert").is_dir()
    )
    if folder is None:
        get = f"register for the data as {_PAGE} says, and unpack it there"
        raise not_found("chexlocalize", "that holds CheXpert and CheXlocalize", root, get)
    wanted = FINDINGS if finding == _ALL else (finding,)
    images = [r for r in read_radiographs(folder, wanted) if part in ("both", r.part)]
    if not images:
        raise XaibenchError(f"chexlocalize[part={part}]: {folder} has no images of that part.")
    read = partial(_read, {each.key: each.outlines for each in images}, wanted)
    if finding == _ALL:
        classes, samples = tuple(IN_TABLES.values()), tuple(map(_of_all, images))
        if train:
            return _with_training(root / train, classes, samples, read)
        return Dataset(classes, samples, read)
    chosen = keep_first((_of_one(each, finding) for each in images), per_class)
    name = finding.lower()
    return Dataset((f"no {name}", name), chosen, read)


def _with_training(
    table: Path,
    classes: tuple[str, ...],
    samples: tuple[Sample, ...],
    read: Callable[[Sample], Picture],
) -> Dataset:
    """Return the images of both parts behind those of a training table."""
    if not table.is_file():
        raise XaibenchError(
            f"{table}: missing; name CheXpert's train.csv, below the data's folder."
        )
    found = read_several(table, classes, MaskStyle())
    if found is None:
        raise XaibenchError(f"{table}: this is no table of CheXpert; it names a finding a column.")
    training = tuple(replace(sample, part="train") for sample in found.samples)
    mine = {sample.id for sample in samples}

    def read_any(sample: Sample) -> Picture:
        return read(sample) if sample.id in mine else found.read(sample)

    return Dataset(classes, (*training, *samples), read_any, found.notes)


def _of_one(each: Radiograph, finding: str) -> Sample:
    label = int(each.labels[finding] == 1)
    layers = (MaskLayer(each.source),) if label and finding in each.outlines else ()
    return Sample(each.key, each.image, label, layers, group=each.patient, part=each.part)


def _of_all(each: Radiograph) -> Sample:
    """Return an image with all findings; what doesn't show needs no outline to be nowhere."""
    layers = (MaskLayer(each.source),)
    class_labels = tuple(
        ClassLabel(label, layers if name in each.outlines else () if label == 0 else None)
        for name, label in each.labels.items()
    )
    known = {"group": each.patient, "part": each.part}
    return several_labels(each.key, each.image, class_labels, **known)


def _read(outlines: Mapping[str, Any], wanted: tuple[str, ...], sample: Sample) -> Picture:
    image = read_image(sample.path)
    drawn = outlines[sample.id]
    if not sample.annotated:
        return Picture(image, None, (None,) * len(sample.class_labels))
    if not sample.class_labels:  # of one finding
        name = wanted[sample.label] if len(wanted) > 1 else wanted[0]
        return Picture(image, _fill(sample, image, drawn.get(name)))
    masks = tuple(_fill(sample, image, drawn.get(name)) for name in wanted)
    known = zip(masks, sample.class_labels, strict=True)
    each = tuple(mask if label.annotated else None for mask, label in known)
    return Picture(image, np.maximum.reduce(masks), each)


def _fill(sample: Sample, image: NDArray[np.uint8], outline: Any) -> Mask:
    """Return what an outline covers, ``(H, W)``; nothing without one."""
    shape = (image.shape[0], image.shape[1])
    if outline is None:
        return np.zeros(shape, np.int8)
    if [*outline["size"]] != [*shape]:
        raise XaibenchError(
            f"{sample.path}: its outline is of {outline['size']}, height and width, but the image "
            f"is {[*shape]}; get both at one size."
        )
    return fill_coco(outline, shape).astype(np.int8)
