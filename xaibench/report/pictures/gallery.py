"""The rows of the picture grid: a few test images with every method's finished map."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaibench.core.data import Picture, Sample
from xaibench.report.facts.material import Material
from xaibench.report.facts.traits import metrics_of, shown
from xaibench.report.facts.units import SHOWN, TRUTH
from xaibench.report.pictures.grid import GridRow
from xaibench.report.pictures.stored import SHOWN_CONTROLS, Stored
from xaibench.results.folder import Layout, Place
from xaibench.results.records import RunRecord

_PER_CLASS, _ROWS = 3, 24


def numbered(run: RunRecord) -> str:
    """Say what the numbers on the maps are; empty where no metric is shown."""
    metric = _metric(run)
    return f"; numbers: {shown(run, metric)}" if metric else ""


def pick_rows(stored: Stored, out: Path, material: Material) -> list[GridRow]:
    """Return rows for the first few test images of each class, in the first fold and seed.

    Where images may show several classes these are images that were explained for the class, those
    that show it first. Each image has a row for each model; controls, which are alike for all, are
    in its first. Pictures keep their own aspect ratio. Each map explains the class that
    localization is scored for, and has its score by the first metric of localization.

    Raises:
        XaibenchError: the dataset can't be read any more.
    """
    dataset, run, predictions = stored.images, material.run, material.predictions
    first = predictions[
        (predictions["fold"] == predictions["fold"].min())
        & (predictions["seed"] == predictions["seed"].iloc[0])
    ]
    by_id = {sample.id: sample for sample in dataset.samples}
    chosen = _few_of_each_class(first, material)
    scores = _scores(material, chosen["sample"])
    pictures = [
        (by_id[name], dataset.read(by_id[name])) for name in chosen["sample"] if name in by_id
    ]
    return [
        _row(sample, picture, place, stored, Layout(out), run, first, scores, controls=number == 0)
        for sample, picture in pictures
        for number, place in enumerate(places_of(first))
    ]


def _few_of_each_class(predictions: pd.DataFrame, material: Material) -> pd.DataFrame:
    once = predictions.drop_duplicates("sample")
    if not material.run.several_labels:
        return once.groupby("label").head(_PER_CLASS)
    explained = once[once["sample"].isin(set(material.scores["sample"]))]
    each = max(1, min(_PER_CLASS, _ROWS // max(explained["label"].nunique(), 1)))
    ordered = explained.sort_values(SHOWN, ascending=False, kind="stable")
    return ordered.groupby("label").head(each).sort_values("label", kind="stable")


def places_of(predictions: pd.DataFrame) -> list[Place]:
    """Return the trained models that a table names."""
    distinct = predictions[list(Place._fields)].drop_duplicates()
    return [Place(*row) for row in distinct.itertuples(index=False)]


def _row(
    sample: Sample,
    picture: Picture,
    place: Place,
    stored: Stored,
    layout: Layout,
    run: RunRecord,
    predictions: pd.DataFrame,
    scores: Mapping[tuple[str, ...], float],
    *,
    controls: bool,
) -> GridRow:
    kind = "predicted" if run.options.get("target") == "predicted" else "label"
    keys = stored.keys(sample.id, [kind])
    size = (picture.image.shape[0], picture.image.shape[1])
    maps: dict[str, NDArray[np.float32] | None] = {}
    # Controls behind all others.
    for method in sorted(run.methods, key=lambda name: run.kind_of(name) == "control"):
        if run.kind_of(method) == "control" and not (controls and method in SHOWN_CONTROLS):
            continue
        folder = layout.cell_folder(place, method)
        made = stored.finished(folder, keys, size, method)
        maps[method] = None if made is None else made[0].numpy()
    classes = run.classes
    mine = predictions[(predictions["sample"] == sample.id) & (predictions["model"] == place.model)]
    known = mine["prediction"].dropna().astype(int)
    truth, names = classes[sample.label], classes
    if SHOWN in mine:
        truth = next((TRUTH[int(each)] for each in mine[SHOWN]), "unknown")
        names = ["found"] * len(classes)
    said = ", ".join(names[p] if p >= 0 else "not found" for p in known) or "unknown"
    name = place.model.replace("[", " [").replace(",", ", ")
    caption = f"{sample.id}\ntruth: {truth}\n{name}\npredicted: {said}"
    own = {
        method: scores[key]
        for method in maps
        if (key := (*map(str, place), method, sample.id)) in scores
    }
    return GridRow(caption, picture.image, picture.mask, maps, own)


def _metric(run: RunRecord) -> str:
    return next(iter(metrics_of(run, "localization", ranked=True)), "")


def _scores(material: Material, samples: "pd.Series[str]") -> dict[tuple[str, ...], float]:
    """Return the defined scores of some images' maps by place, method and image."""
    table = material.scores
    table = table[(table["metric"] == _metric(material.run)) & table["sample"].isin(samples)]
    table = table[table["value"].notna()]
    keys = table[[*Place._fields, "method", "sample"]].astype(str).itertuples(index=False)
    return dict(zip((tuple(key) for key in keys), table["value"], strict=True))
