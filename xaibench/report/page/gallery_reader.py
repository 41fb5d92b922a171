"""Reads what the gallery shows of a test image: what models said, and every row's map."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from xaibench.core.loading import resize_picture
from xaibench.core.maps import OK
from xaibench.core.overlap import jaccard
from xaibench.core.spec import parse_spec
from xaibench.report.facts.material import Material
from xaibench.report.facts.section import Row, Section
from xaibench.report.facts.traits import headlines, shown
from xaibench.report.facts.units import RIGHT, SHOWN, TRUTH, parts_of_unit
from xaibench.report.numbers import number
from xaibench.report.page.gallery_choice import Choice
from xaibench.report.page.gallery_pixels import Packed, levels_of, pack, preview
from xaibench.report.page.gallery_sample import Pictured, Tile, Verdict
from xaibench.report.pictures.stored import SHOWN_CONTROLS, Stored
from xaibench.results.folder import Layout, Place

_KINDS = ("label", "predicted")
_HALF, _HUNDRED, _ROUNDING = 50, 100, 1e-9
_LEFT_OUT = "no map"  # the status of images that maps weren't submitted for


class Reader:
    """Reads samples of one section."""

    def __init__(self, section: Section, material: Material, stored: Stored, out: Path) -> None:
        """Take the section's images and maps from a run's folder.

        Raises:
            XaibenchError: the dataset can't be read any more.
        """
        self.section, self.run, self._stored = section, material.run, stored
        self.size = self.run.image_size
        self._mask_resize = self.run.mask_resize
        self.iou, self.threshold = _iou_of(self.run.metrics)
        self._metric = self.iou or next(iter(headlines(self.run)), "")
        about = self.run.metrics.get(self._metric)
        self._kind = about.target if about else _KINDS[0]
        self._layout, self._material = Layout(out), material
        self._by_id = {sample.id: sample for sample in stored.images.samples}

    @property
    def explained(self) -> str:
        """Whose class the maps explain, in words."""
        if self.run.several_labels:
            return "named"
        return "true" if self._kind == _KINDS[0] else "predicted"

    def read(self, choice: Choice) -> Pictured | None:
        """Return an image with its maps, or None where there are none.

        Raises:
            XaibenchError: image, mask or maps can't be read.
        """
        name = str(self.section.units["sample"][choice.unit])
        if name not in self._by_id:
            return None
        sample = self._by_id[name]
        picture = self._stored.images.read(sample)
        grades = resize_picture(picture, self.size, self._mask_resize).mask
        truth = None if grades is None else grades > 0
        verdicts = {model: self._verdict(choice.unit, model) for model in self._models}
        packed: dict[tuple[Packed, float], int] = {}
        tiles = [
            Tile(
                row.method,
                row.model if row.competes else "",
                row.kind,
                verdicts[row.model].right if row.competes else "",
                "" if status == OK else status,
                self._scores(choice.unit, place),
                packed.setdefault((pack(levels), highest), len(packed)),
                self._difference(choice.unit, place, levels, truth),
            )
            for place, row, levels, highest, status in self._maps(choice.unit, name)
        ]
        if not tiles:
            return None
        several = self.run.several_labels
        return Pictured(
            name,
            self.run.classes[sample.label],
            self._truth(choice.unit) if several else "",
            parts_of_unit(name, self.run.classes)[0] if several else name,
            True,
            (),
            choice.reasons,
            list(verdicts.values()),
            preview(picture.image, picture.mask),
            tiles,
            None if truth is None else pack(truth.astype(np.uint8)),
            "no mask" if truth is None else "" if truth.any() else "empty mask",
            list(packed),
        )

    def _maps(
        self, unit: int, name: str
    ) -> Iterator[tuple[int, Row, NDArray[np.uint8], float, str]]:
        """Yield place, row, levels, maximum and status of all maps shown, in the board's order."""
        # A map that explains both classes is there once, under either name.
        kinds = sorted(_KINDS, key=lambda kind: kind != self._kind)
        keys = self._stored.keys(name, kinds)
        fold, seed = (int(self.section.units[part][unit]) for part in ("fold", "seed"))
        seen = set()
        for place, row in enumerate(self.section.rows):
            once = not row.competes  # the same beside every model
            if once and (row.method not in SHOWN_CONTROLS or row.method in seen):
                continue
            if not self._is_scored(unit, place, name):
                continue
            cell = Place(self.section.dataset, self.section.split, fold, row.model, seed)
            folder = self._layout.cell_folder(cell, row.method)
            found = self._stored.finished(folder, keys, (self.size, self.size), row.method)
            if found is not None:
                seen.add(row.method)
                values, status = found
                yield place, row, levels_of(values), round(float(values.max()), 4), status

    def _is_scored(self, unit: int, place: int, name: str) -> bool:
        row = self.section.rows[place]
        named = any(present[unit, place] for present in self.section.present.values())
        return named and (row.model, row.method, name) not in self._left_out

    def _scores(self, unit: int, place: int) -> list[tuple[str, str]]:
        return [
            (shown(self.run, metric), number(values[unit, place]))
            for metric, values in self.section.values.items()
            if self.section.present[metric][unit, place]
        ]

    def _difference(
        self, unit: int, place: int, levels: NDArray[np.uint8], truth: NDArray[np.bool_] | None
    ) -> float | None:
        if not self.iou or truth is None:
            return None
        marked = torch.from_numpy(levels >= self.threshold)[None]
        found = jaccard(marked, torch.from_numpy(truth)[None]).item()
        difference = abs(found - self.section.values[self.iou][unit, place])
        return None if np.isnan(difference) else float(difference)

    def _truth(self, unit: int) -> str:
        fold, seed, sample = self.section.units.loc[unit, ["fold", "seed", "sample"]]
        known = (self._predictions.get((model, fold, seed, sample)) for model in self._models)
        return next((TRUTH[int(said[SHOWN])] for said in known if said), "")

    def _verdict(self, unit: int, model: str) -> Verdict:
        key = (model, *self.section.units.loc[unit, ["fold", "seed", "sample"]])
        said = self._predictions.get(key, {})
        prediction = said.get("prediction", np.nan)
        if np.isnan(prediction):
            return Verdict(model, "no prediction", "")
        if self.run.several_labels:
            return _verdict_on_class(model, said)
        confidence = said.get(f"confidence_{int(prediction)}", np.nan)
        sure = "" if np.isnan(confidence) else f", {confidence:.2f}"
        right = "right" if prediction == said["label"] else "wrong"
        return Verdict(model, f"{self.run.classes[int(prediction)]}{sure}: {right}", right)

    @cached_property
    def _models(self) -> list[str]:
        return list(dict.fromkeys(row.model for row in self.section.rows))

    @cached_property
    def _predictions(self) -> dict[tuple[Any, ...], dict[Any, Any]]:
        table = self._material.predictions.copy()
        # Models that don't classify leave their cells empty, which makes texts of the others'.
        named = table.columns.str.startswith(("prediction", "confidence_"))
        numbers = table.columns[named]
        table[numbers] = table[numbers].apply(pd.to_numeric)
        keys = (table[name] for name in ("model", "fold", "seed", "sample"))
        return dict(zip(zip(*keys, strict=True), table.to_dict("records"), strict=True))

    @cached_property
    def _left_out(self) -> set[tuple[str, str, str]]:
        scores = self._material.scores
        lost = scores[(scores["metric"] == self._metric) & (scores["status"] == _LEFT_OUT)]
        return set(zip(lost["model"], lost["method"], lost["sample"], strict=True))


def _verdict_on_class(model: str, said: Mapping[Any, Any]) -> Verdict:
    """Return what a model says of one class of an image that may show several."""
    found = "found" if said["prediction"] >= 0 else "not found"
    known = {1.0: "right", 0.0: "wrong"}.get(said[RIGHT], "")
    sure = f"{said['confidence_0']:.2f}"
    return Verdict(model, f"{found}, {sure}" + (f": {known}" if known else ""), known)


def _iou_of(metrics: Mapping[str, Any]) -> tuple[str, int]:
    """Return the metric that the slider repeats at one of its steps, if any, and that step."""
    for spec in metrics:
        name, options = parse_spec(spec)
        step = _HUNDRED * float(options.pop("threshold", _HALF / _HUNDRED))
        if name == "iou" and not options and abs(step - round(step)) < _ROUNDING:
            return spec, round(step)
    return "", _HALF
