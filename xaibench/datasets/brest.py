"""BrEaST: breast ultrasound of 256 patients, benign, malignant and normal, with masks."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from xaibench.core.data import Dataset, MaskLayer, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.archives import known_archive
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.fetch import fetch_archive
from xaibench.core.reading.search import find_folder, folders_below, not_found
from xaibench.core.registry import dataset

_ARCHIVE = known_archive("brest")
_FOLDER = "BrEaST-Lesions_USG-images_and_masks"
_TABLE = "BrEaST-Lesions-USG-clinical-data*"
_PAGE = "https://www.cancerimagingarchive.net/collection/breast-lesions-usg/"
_CLASSES = ("benign", "malignant", "normal")


def fetch_brest(root: Path) -> Path:
    """Download the images (CC BY 4.0) from TCIA unless they lie below ``root``.

    The clinical table is another download of the same page.

    Raises:
        XaibenchError: no connection, no space, or no table beside the images.
    """
    folder = _find(root) or fetch_archive(_ARCHIVE, root, _FOLDER, "case001.png")
    _find_table(root, folder)
    return folder


@dataset(paper="pawlowska2024brest", fetch=fetch_brest)
def brest(
    root: Path, *, classes: tuple[str, ...] = ("benign", "malignant"), per_class: int = 0
) -> Dataset:
    """Read BrEaST in its published layout: one image of each patient.

    ``case001.png`` has the mask ``case001_tumor.png``; what else is outlined there, such as
    ``case001_other1.png``, is no evidence. The clinical table beside it, as CSV or XLSX, has the
    columns ``Image_filename`` and ``Classification``.

    Args:
        root: folder that holds all data, or that of the images.
        classes: of benign, malignant and normal; labels count in this order.
        per_class: keep the first so many images of each class; 0 keeps all.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    names = choose_classes("brest", _CLASSES, classes)
    check_per_class("brest", per_class)
    folder = _find(root)
    if folder is None:
        raise not_found("brest", f"{_FOLDER} with case001.png", root)
    samples = []
    for row in _read_table(_find_table(root, folder)):
        kind = str(row["Classification"]).strip().lower()
        if kind not in names:
            continue
        image = folder / str(row["Image_filename"]).strip()
        if not image.is_file():
            raise XaibenchError(f"{image}: missing; unpack the archive again.")
        mask = image.with_name(f"{image.stem}_tumor.png")
        layers = (MaskLayer(mask),) if mask.is_file() else ()
        samples.append(Sample(image.stem, image, names.index(kind), layers))
    return Dataset(names, keep_first(samples, per_class))


def _find(root: Path) -> Path | None:
    return find_folder(root, lambda place: (place / "case001.png").is_file())


def _find_table(root: Path, folder: Path) -> Path:
    places = [folder, folder.parent, *folders_below(root)]
    found = [file for place in places for file in sorted(place.glob(_TABLE))]
    if not found:
        raise XaibenchError(f"{folder}: no clinical table ({_TABLE}); put that of {_PAGE} there.")
    return found[0]


def _read_table(table: Path) -> list[Mapping[str, object]]:
    try:
        if table.suffix == ".csv":
            rows = pd.read_csv(table, sep=None, engine="python")
        else:
            rows = pd.read_excel(table)
    except ImportError as error:
        raise XaibenchError(f"{table}: reading it needs openpyxl; save it as CSV.") from error
    except (OSError, ValueError) as error:
        raise XaibenchError(f"{table}: not a readable table ({error}); get it again.") from error
    for column in ("Image_filename", "Classification"):
        if column not in rows:
            raise XaibenchError(f"{table}: no column {column}; get the table again.")
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.itertuples(index=False)]
