"""The rows of the picture grid: a few test images with every method's finished map."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from xaibench.core.archive import MapReader, map_key
from xaibench.core.data import Dataset, Sample
from xaibench.core.layout import Layout, Place
from xaibench.core.maps import finish
from xaibench.core.registry import bind, load_plugin_file
from xaibench.core.roots import open_dataset
from xaibench.report.pictures.grid import GridRow

_PER_CLASS = 3
_SHOWN_CONTROLS = ("average_mask", "sobel")


class _Column(NamedTuple):
    """One model's maps of one method."""

    title: str
    archive: Path
    sign: Any
    rescale: Any


def pick_rows(out: Path, run: dict[str, Any], predictions: pd.DataFrame) -> list[GridRow]:
    """Return rows for the first few test images of each class, in the first fold and seed.

    Pictures keep their own aspect ratio. Each map explains the class that localization is scored
    for.

    Raises:
        XaibenchError: the dataset can't be read any more.
    """
    options = run["options"]
    for file in options["plugin"]:
        load_plugin_file(Path(file))
    dataset = open_dataset(bind("dataset", options["dataset"]), options["data_root"])
    first = predictions[
        (predictions["fold"] == predictions["fold"].min())
        & (predictions["seed"] == predictions["seed"].iloc[0])
    ]
    columns = _columns(Layout(out), run, first)
    by_id = {sample.id: sample for sample in dataset.samples}
    shown = first.drop_duplicates("sample").groupby("label").head(_PER_CLASS)
    samples = [by_id[name] for name in shown["sample"] if name in by_id]
    return [_row(sample, dataset, run, first, columns) for sample in samples]


def places_of(predictions: pd.DataFrame) -> list[Place]:
    """Return the trained models that a table speaks of."""
    distinct = predictions[list(Place._fields)].drop_duplicates()
    return [Place(*row) for row in distinct.itertuples(index=False)]


def _columns(layout: Layout, run: dict[str, Any], first: pd.DataFrame) -> list[_Column]:
    found, controls = [], []
    for number, place in enumerate(places_of(first)):
        for method, traits in run["methods"].items():
            archive = layout.cell_folder(place, method) / "maps.npz"
            column = _Column(f"{method}\n{place.model}", archive, traits["sign"], traits["rescale"])
            if not column.archive.is_file():
                continue
            if traits["family"] != "control":
                found.append(column)
            elif number == 0 and method in _SHOWN_CONTROLS:  # the same for every model
                controls.append(column._replace(title=method))
    return found + controls


def _row(
    sample: Sample,
    dataset: Dataset,
    run: dict[str, Any],
    first: pd.DataFrame,
    columns: list[_Column],
) -> GridRow:
    picture = dataset.read(sample)
    target = "predicted" if run["options"]["target"] == "predicted" else "label"
    size = picture.image.shape[:2]
    found = {c.title: _read(c, map_key(target, sample.id), size) for c in columns}
    maps = {title: heat for title, heat in found.items() if heat is not None}
    classes = run["classes"]
    mine = first[first["sample"] == sample.id]
    known = mine["prediction"].dropna().astype(int)
    said = ", ".join(dict.fromkeys(classes[p] for p in known)) or "unknown"
    caption = f"{sample.id}\ntruth: {classes[sample.label]}\npredicted: {said}"
    return GridRow(caption, picture.image, picture.mask, maps)


def _read(column: _Column, key: str, size: tuple[int, int]) -> NDArray[np.float32] | None:
    with MapReader(column.archive) as reader:
        if key not in reader:  # a method that failed keeps the maps of an earlier split
            return None
        raw = torch.from_numpy(reader[key])[None]
    maps, _ = finish(raw, size, sign=column.sign, rescale=column.rescale)
    finished: NDArray[np.float32] = maps[0].numpy()
    return finished
