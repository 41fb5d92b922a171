"""Recipe: what does one option of training bring?"""

from collections.abc import Sequence

from xaibench.core.errors import XaibenchError
from xaibench.core.store import folder_name
from xaibench.core.suggest import did_you_mean
from xaibench.results.study_records import Arm
from xaibench.setup.selection import Selection
from xaibench.studies.design import Design, Point, Study

_OPTIONS = (
    *("augmentation", "train_batch_size", "optimizer", "learning_rate", "fresh_rate", "epochs"),
    *("weight_decay", "schedule", "label_smoothing", "ema", "keep_epoch", "loss"),
    *("class_weighting", "recipe"),
)
_SHORT = {"batch": "train_batch_size"}
_USAGE = "write --values OPTION=VALUE,VALUE,..., such as augmentation=none,horizontal_flip"


def _design(selection: Selection, values: Sequence[str]) -> Design:
    """Train all models under each value of one option; each is compared with the first."""
    option, levels = _read(values)
    points = [
        Point(folder_name(f"{option}={level}"), {option: tuple(level.split("+"))})
        if option == "augmentation"
        else Point(folder_name(f"{option}={level}"), {option: level})
        for level in levels
    ]
    arms = [
        Arm(
            point.name,
            model.spec,
            model.spec,
            level,
            against=(Arm(points[0].name, model.spec, model.spec, level).key,)
            if point != points[0]
            else (),
        )
        for model in selection.models
        for point, level in zip(points, levels, strict=True)
    ]
    return Design(points, arms)


def _read(values: Sequence[str]) -> tuple[str, list[str]]:
    """Return the option, and its values; its name is before the first, or before all."""
    name, _, first = values[0].partition("=") if values else ("", "", "")
    option = _SHORT.get(name, name)
    if option not in _OPTIONS or not first:
        known = [*_OPTIONS, *_SHORT]
        raise XaibenchError(
            f"--values {','.join(values)}: study recipe varies one option of training"
            f"{did_you_mean(name, known)}; {_USAGE}; the options are {', '.join(known)}."
        )
    levels = [first, *(value.removeprefix(f"{name}=") for value in values[1:])]
    if other := next((level for level in levels if "=" in level), None):
        raise XaibenchError(f"--values {other}: study recipe varies {name} alone; {_USAGE}.")
    if len(set(levels)) < len(levels):
        raise XaibenchError(f"--values {','.join(values)}: repeats a value.")
    return option, levels


STUDY = Study(
    name="recipe",
    question="What does one option of training bring, for classification and for localization?",
    design=_design,
    ordered=False,
    defaults={"metrics": ("iou", "average_precision"), "controls": False},
    with_loss=True,
)
