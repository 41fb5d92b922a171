"""BUS-BRA: breast ultrasound of 1,064 patients, benign and malignant, with masks and folds."""

from pathlib import Path

from xaibench.core.data import Dataset, MaskLayer, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.archives import known_archive
from xaibench.core.reading.choice import check_per_class, choose_classes, keep_first
from xaibench.core.reading.fetch import fetch_archive
from xaibench.core.reading.search import find_folder, not_found
from xaibench.core.reading.spreadsheet import read_lines
from xaibench.core.registry import dataset

_ARCHIVE = known_archive("bus_bra")
_FOLDER, _TABLE, _FOLDS = "BUSBRA", "bus_data.csv", "5-fold-cv.csv"
_CLASSES = ("benign", "malignant")
_MOST_FOLDS = 5


def fetch_bus_bra(root: Path) -> Path:
    """Download BUS-BRA (CC BY 4.0) from Zenodo unless it lies below ``root``; return its folder.

    Raises:
        XaibenchError: no connection, no space, or another archive than the one that is known.
    """
    return _find(root) or fetch_archive(_ARCHIVE, root, _FOLDER, _TABLE, name=f"{_FOLDER}.zip")


@dataset(paper="gomezflores2024busbra", fetch=fetch_bus_bra)
def bus_bra(
    root: Path, *, classes: tuple[str, ...] = _CLASSES, per_class: int = 0, test_fold: int = 0
) -> Dataset:
    """Read BUS-BRA in its published layout, anywhere below ``root``.

    Images of a patient stay in one part. ``BUSBRA/Images/bus_0001-l.png`` has the mask
    ``BUSBRA/Masks/mask_0001-l.png``; ``bus_data.csv`` names patients and findings. 1,268 images are
    benign, 607 malignant.

    Args:
        root: folder that holds all data, or that of BUS-BRA itself.
        classes: benign and malignant; labels count in this order.
        per_class: keep the first so many images of each class; 0 keeps all.
        test_fold: of the five published folds, the one that ``--split official`` tests; 0 for none.

    Raises:
        XaibenchError: it is not there or not complete, or an option is wrong.
    """
    names = choose_classes("bus_bra", _CLASSES, classes)
    check_per_class("bus_bra", per_class)
    if not 0 <= test_fold <= _MOST_FOLDS:
        raise XaibenchError(f"bus_bra[test_fold={test_fold}]: choose 1 to {_MOST_FOLDS}, or 0.")
    folder = _find(root)
    if folder is None:
        raise not_found("bus_bra", f"{_FOLDER} with {_TABLE}", root)
    parts = _read_folds(folder, test_fold) if test_fold else {}
    samples = [
        _describe(folder, cells["id"], cells["case"], names.index(kind), parts)
        for _, cells in read_lines(
            folder / _TABLE, str(folder / _TABLE), ("id", "case", "pathology"), "fetch it again"
        )
        if (kind := cells["pathology"].lower()) in names
    ]
    return Dataset(names, keep_first(samples, per_class))


def _find(root: Path) -> Path | None:
    return find_folder(
        root, lambda place: (place / _TABLE).is_file() and (place / "Masks").is_dir()
    )


def _read_folds(folder: Path, test_fold: int) -> dict[str, str]:
    lines = read_lines(folder / _FOLDS, str(folder / _FOLDS), ("id", "kfold"), "fetch it again")
    return {
        cells["id"]: "test" if float(cells["kfold"]) == test_fold else "train" for _, cells in lines
    }


def _describe(folder: Path, name: str, case: str, label: int, parts: dict[str, str]) -> Sample:
    image = folder / "Images" / f"{name}.png"
    mask = folder / "Masks" / f"{name.replace('bus_', 'mask_', 1)}.png"
    for file in (image, mask):
        if not file.is_file():
            raise XaibenchError(f"{file}: missing; run `xaibench fetch bus_bra` in another folder.")
    return Sample(
        name, image, label, (MaskLayer(mask),), group=f"patient {case}", part=parts.get(name, "")
    )
