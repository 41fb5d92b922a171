"""The arms of a study: trained models of several runs, brought onto the same test images."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.material import Material, read_material
from xaibench.report.facts.section import Section, sections
from xaibench.report.facts.units import RIGHT
from xaibench.report.judging.classifier_rates import losses
from xaibench.results.records import MethodEntry, MetricEntry, RunRecord
from xaibench.results.study_records import Arm

ACCURACY, LOSS = "accuracy", "loss"
OF_CLASSIFIERS = (ACCURACY, LOSS)
_CLASSIFIER = MethodEntry(family="other")
_RIGHT = MetricEntry(higher_is_better=True, family="classification", bounds=(0, 1), ranked=False)
_LOSS = MetricEntry(higher_is_better=False, family="classification", bounds=(0, None), ranked=False)


def gather_arms(
    out: Path, arms: Sequence[Arm], *, with_loss: bool = False
) -> tuple[Section, Material]:
    """Read the runs of all arms as one section whose rows are called by the arms' keys.

    Right and wrong predictions become scores of a metric ``accuracy`` with a method of no name, and
    ``with_loss`` the cross-entropies of images with one label those of a metric ``loss``.

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
    frames = [
        frame for point, material in found.items() for frame in _frames(point, material, with_loss)
    ]
    scores = pd.concat(frames, ignore_index=True)
    methods, metrics = {"": _CLASSIFIER}, {ACCURACY: _RIGHT} | ({LOSS: _LOSS} if with_loss else {})
    groups: dict[tuple[str, str], str] = {}
    for material in found.values():
        methods |= material.run.methods
        metrics |= material.run.metrics
        groups |= material.groups
    run = RunRecord(classes=(), methods=methods, metrics=metrics)
    # Runs on copies of a dataset's images are on that dataset, too.
    scores = scores.assign(dataset=scores["dataset"].iloc[0])
    kept = scores[scores["model"].isin([arm.key for arm in arms])]
    material = Material.of(run, kept, groups=groups)
    return next(sections(material)), material


def _frames(point: str, material: Material, with_loss: bool) -> list[pd.DataFrame]:
    predictions = material.predictions.dropna(subset="prediction")
    right = (predictions["label"] == predictions["prediction"]).astype(float)
    right = predictions.get(RIGHT, right)
    answers = predictions.assign(method="", metric=ACCURACY, value=right)
    frames = [answers, material.scores]
    if with_loss and not material.run.several_labels:
        names = [f"confidence_{k}" for k in range(len(material.run.classes))]
        told = losses(predictions["label"].to_numpy(int), predictions[names].to_numpy(float))
        frames.insert(1, predictions.assign(method="", metric=LOSS, value=told))
    return [frame.assign(model=point + "/" + frame["model"].astype(str)) for frame in frames]
