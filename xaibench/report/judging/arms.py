"""The arms of a study: trained models of several runs, brought onto the same test images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.material import Material, read_material
from xaibench.report.facts.section import Section, sections

ACCURACY = "accuracy"
_CLASSIFIER = {"family": "other", "blind": False}
_RIGHT = {"higher_is_better": True, "family": "classification", "bounds": [0, 1], "ranked": False}


@dataclass(frozen=True)
class Arm:
    """A model of one of a study's runs: ``level`` is what is studied, ``series`` what stays.

    ``against`` names the arms that it is compared with, by key: the first that has the score
    counts. ``factors`` are the levels of several factors, where these are crossed.
    """

    point: str
    model: str
    series: str
    level: str
    against: tuple[str, ...] = ()
    factors: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """A name that no other arm has."""
        return f"{self.point}/{self.model}"


def gather_arms(out: Path, arms: Sequence[Arm]) -> tuple[Section, Material]:
    """Read the runs of all arms as one section whose rows are called by the arms' keys.

    Right and wrong predictions become scores of a metric ``accuracy`` with a method of no name.

    Raises:
        XaibenchError: no run left any scores.
    """
    found: dict[str, Material] = {}
    for point in dict.fromkeys(arm.point for arm in arms):
        try:
            found[point] = read_material(out / point)
        except XaibenchError as error:
            last = error
    if not found:
        raise last
    frames = [frame for point, material in found.items() for frame in _frames(point, material)]
    scores = pd.concat(frames, ignore_index=True)
    run: dict[str, Any] = {"methods": {"": _CLASSIFIER}, "metrics": {ACCURACY: _RIGHT}}
    groups: dict[tuple[str, str], str] = {}
    for material in found.values():
        for kind in ("methods", "metrics"):
            run[kind] |= material.run[kind]
        groups |= material.groups
    kept = scores[scores["model"].isin([arm.key for arm in arms])]
    material = Material.of(run, kept, groups=groups)
    return next(sections(material)), material


def _frames(point: str, material: Material) -> list[pd.DataFrame]:
    predictions = material.predictions.dropna(subset="prediction")
    right = (predictions["label"] == predictions["prediction"]).astype(float)
    answers = predictions.assign(method="", metric=ACCURACY, value=right)
    frames = [answers, material.scores]
    return [frame.assign(model=point + "/" + frame["model"].astype(str)) for frame in frames]
