"""CheXlocalize: chest X-rays of CheXpert with outlines of ten findings, one finding at a time."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from xaibench.core.data import Dataset, MaskLayer, Picture, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.choice import check_per_class, keep_first
from xaibench.core.reading.exports.coco_json import fill_coco
from xaibench.core.reading.exports.find import load_json
from xaibench.core.reading.images import read_image
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.reading.spreadsheet import read_lines
from xaibench.core.registry import dataset
from xaibench.core.suggest import did_you_mean

_PARTS = {"val": "validation", "test": "test"}
_LABELS = {"Airspace Opacity": "Lung Opacity"}  # what CheXpert's tables call it
_FINDINGS = (
    "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Lesion", "Airspace Opacity", "Edema",
    "Consolidation", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Support Devices",
)  # fmt: skip
_PAGE = "https://github.com/rajpurkarlab/cheXlocalize"


@dataset(paper="saporta2022chexlocalize")
def chexlocalize(root: Path, *, finding: str = "Pleural Effusion", per_class: int = 0) -> Dataset:
    """Read X-rays with and without a finding; the mask is the radiologists' outline of it.

    ``CheXpert/val/patient64541/study1/view1_frontal.jpg`` has a row in ``CheXpert/val_labels.csv``
    and outlines in ``CheXlocalize/gt_segmentations_val.json``; ``test`` has the same structure.
    Images of a patient stay in one part. The data are given out after registration alone, and there
    is nothing to train on: take a model that comes trained, or ``--test-dataset chexlocalize``.

    Args:
        root: folder that holds all data, or the one that holds CheXpert and CheXlocalize.
        finding: one of the ten that are outlined.
        per_class: keep the first so many images of each class and part; 0 keeps all.

    Raises:
        XaibenchError: it is not there or not complete, or there is no such finding.
    """
    if finding not in _FINDINGS:
        raise XaibenchError(
            f"chexlocalize[finding={finding}]: no such finding{did_you_mean(finding, _FINDINGS)}; "
            f"choose among {', '.join(_FINDINGS)}."
        )
    check_per_class("chexlocalize", per_class)
    folder = find_folder(
        root, lambda place: (place / "CheXlocalize").is_dir() and (place / "CheXpert").is_dir()
    )
    if folder is None:
        get = f"register for the data as {_PAGE} says, and unpack it there"
        raise not_found("chexlocalize", "that holds CheXpert and CheXlocalize", root, get)
    samples: list[Sample] = []
    outlines: dict[str, Any] = {}
    for name, part in _PARTS.items():
        source = folder / "CheXlocalize" / f"gt_segmentations_{name}.json"
        if source.is_file():
            drawn = load_json(source)
            samples += _read_part(folder, name, part, finding, source, drawn)
            outlines |= {key: found[finding] for key, found in drawn.items() if finding in found}
    if not samples:
        raise XaibenchError(
            f"{folder}: no CheXlocalize/gt_segmentations_val.json; unpack it again."
        )
    absent = f"no {finding.lower()}"
    kept = keep_first(samples, per_class)
    return Dataset((absent, finding.lower()), kept, partial(_read, outlines))


def _read_part(
    folder: Path, name: str, part: str, finding: str, source: Path, drawn: Mapping[str, Any]
) -> list[Sample]:
    table, column = (
        folder / "CheXpert" / f"{name}_labels.csv",
        _LABELS.get(finding, finding).lower(),
    )
    found = []
    for line in read_lines(table, str(table), ("path", column), "get it again"):
        patient, study, view = Path(line.cells["path"]).with_suffix("").parts[-3:]
        key = f"{patient}_{study}_{view}"
        label = int(float(line.cells[column] or 0) == 1)
        layers = (MaskLayer(source),) if label and finding in drawn.get(key, {}) else ()
        image = folder / "CheXpert" / name / patient / study / f"{view}.jpg"
        if not image.is_file():
            raise XaibenchError(f"{image}: missing; unpack the archive again.")
        found.append(Sample(key, image, label, layers, group=patient, part=part))
    return found


def _read(outlines: Mapping[str, Any], sample: Sample) -> Picture:
    image = read_image(sample.path)
    if not sample.masks:
        return Picture(image, None)
    outline = outlines[sample.id]
    if [*outline["size"]] != [*image.shape[:2]]:
        raise XaibenchError(
            f"{sample.path}: its outline is of {outline['size']}, height and width, but the image "
            f"is {[*image.shape[:2]]}; get both at one size."
        )
    return Picture(image, fill_coco(outline, (image.shape[0], image.shape[1])).astype("int8"))
