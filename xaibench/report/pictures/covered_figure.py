"""Covered images, each with its confidence: what Average Drop and Increase in Confidence ask."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xaibench.core.baselines import Baseline
from xaibench.core.covering import By, Covered
from xaibench.core.covering_ways import CoveringWay
from xaibench.core.errors import XaibenchError
from xaibench.core.loading import resize_picture
from xaibench.core.passes.device import as_bytes
from xaibench.core.spec import parse_spec
from xaibench.report.facts.material import UNIT, Material
from xaibench.report.facts.section import Section
from xaibench.report.judging.chapter import Chapter
from xaibench.report.pictures.covered_line import (
    CoveredCell,
    covered_headings,
    covered_line,
    scored_in_words,
)
from xaibench.report.pictures.drawing import Drawing, styled
from xaibench.report.pictures.picture_table import PictureLine, draw_picture_table
from xaibench.report.pictures.shown_rows import competing
from xaibench.report.pictures.stored import Stored, holds_maps
from xaibench.report.pictures.unit_maps import UnitMaps

DROP, RISE, GAIN = "drop_in_confidence", "increase_in_confidence", "average_gain"
_EACH, _BYTE = 2, 255


@dataclass(frozen=True)
class _Asked:
    """The metrics of a run that cover images, by ways."""

    drops: dict[CoveringWay, str]
    rises: dict[CoveringWay, str]
    gains: dict[CoveringWay, str]

    @property
    def shown(self) -> list[CoveringWay]:
        """The ways of all drops, and the first one's counterpart, whether or not it was asked."""
        first = next(iter(self.drops))
        other: Covered = "important" if first.covered == "unimportant" else "unimportant"
        return list(dict.fromkeys([*self.drops, first._replace(covered=other)]))


@styled
def draw_covered(chapter: Chapter, material: Material, stored: Stored, out: Path) -> Drawing | None:
    """Draw the ways in which a run's metrics cover images, on the leader's best and worst.

    None where no `drop_in_confidence` was scored, where the leader's own model predicts nothing,
    without maps, and where the images are gone.
    """
    asked = _asked(material)
    metric = next(iter(asked.drops.values()), None)
    lines = competing(chapter, material.run, metric) if metric else []
    if metric is None or not lines or not holds_maps(material, out):
        return None
    leader = lines[0]
    known = _confidences(leader.place, metric, chapter.section, material)
    try:
        maps = UnitMaps(chapter.section, material, metric, stored, out)
        rows = [
            _line(which, unit, leader.place, asked, maps, chapter.section, known[unit])
            for which, unit in maps.best_and_worst(leader.place, metric, _EACH)
            if unit in known
        ]
    except XaibenchError:  # the data is gone; the grid says so
        return None
    if not rows:
        return None
    missing = [way.asked_by(DROP) for way in asked.shown if way not in asked.drops]
    headings = covered_headings(leader.label, [way.words for way in asked.shown])
    return Drawing(
        draw_picture_table(headings, rows),
        f"What Average Drop and Increase in Confidence ask of {leader.label} on "
        f"{chapter.section.title}: images with a part covered, each with the confidence in the "
        "class explained.",
        "Images with the smallest and the largest drop; `xaibench explain IMAGE --run DIR "
        "--covered` shows the same of any picture."
        + "".join(f" What is not measured needs the metric `{name}`." for name in missing),
    )


def _asked(material: Material) -> _Asked:
    found: dict[str, dict[CoveringWay, str]] = {DROP: {}, RISE: {}, GAIN: {}}
    for spec in material.run.metrics:
        name, options = parse_spec(spec)
        if name in found:
            way = CoveringWay(
                cast(Covered, options.get("covered", "unimportant")),
                cast(By, options.get("by", "darken")),
                cast(Baseline, options.get("baseline", "black")),
            )
            found[name].setdefault(way, spec)
    return _Asked(found[DROP], found[RISE], found[GAIN])


def _line(
    which: str,
    unit: int,
    place: int,
    asked: _Asked,
    maps: UnitMaps,
    section: Section,
    known: tuple[float, str],
) -> PictureLine:
    seen = resize_picture(maps.picture(unit), maps.size).image
    heat = maps.heat(unit, place)
    before, target = known
    covered = []
    if heat is not None:
        for way in asked.shown:
            scores = (each.get(way) for each in (asked.drops, asked.rises, asked.gains))
            measured = [math.nan if s is None else section.values[s][unit, place] for s in scores]
            covered.append(CoveredCell(_cover(seen, heat, way), scored_in_words(before, *measured)))
    end = "the least drop" if which == "best" else "the largest drop"
    name = f"{end}\n{maps.name(unit)}\nexplained: {target}"
    shown = None if heat is None else heat.numpy()
    return covered_line(name, maps.picture(unit).image, seen, shown, before, covered)


def _confidences(
    place: int, metric: str, section: Section, material: Material
) -> dict[int, tuple[float, str]]:
    """Return the confidence on each image itself, by units, and the class that is meant.

    Nothing of a model that doesn't classify: another one judges its maps.
    """
    run, table = material.run, material.predictions
    if run.several_labels or not {"confidence_0", *UNIT} <= set(table):
        return {}
    mine = (table["dataset"] == section.dataset) & (table["split"] == section.split)
    mine &= table["model"] == section.rows[place].model
    asked = "label" if run.metrics[metric].target == "label" else "prediction"
    own = table[mine].dropna(subset=[asked, "confidence_0"]).set_index(UNIT)
    found = {}
    for unit, key in enumerate(section.units[UNIT].itertuples(index=False, name=None)):
        if key in own.index:
            said = own.loc[key]
            target = int(said[asked])
            found[unit] = float(said[f"confidence_{target}"]), run.classes[target]
    return found


def _cover(image: NDArray[np.uint8], heat: Tensor, way: CoveringWay) -> NDArray[np.uint8]:
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / _BYTE
    covered: NDArray[np.uint8] = as_bytes(way.cover(pixels, heat[None]))[0].numpy()
    return covered
