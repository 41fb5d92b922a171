"""Filters: how wide must a small network be?"""

from collections.abc import Sequence

from xaibench.core.errors import XaibenchError
from xaibench.results.study_records import Arm
from xaibench.setup.selection import Selection
from xaibench.studies.design import Design, Point, Study, model_with, vary

_WIDTHS = ("16-16-16-16", "16-16-32-32", "32-32-32-32", "32-32-64-64", "64-64-64-64")
_RUN = "run"


def _design(selection: Selection, values: Sequence[str]) -> Design:
    """Compare one network with several numbers of filters, each with the first."""
    model = model_with(selection, "filters", "filters")
    if len(set(values)) < len(values):
        raise XaibenchError(f"--values {','.join(values)}: repeats a value.")
    arms: list[Arm] = []
    for width in values or _WIDTHS:
        arms.append(
            Arm(
                _RUN,
                vary(model, filters=width),
                model.plugin.name,
                width,
                against=(arms[0].key,) if arms else (),
            )
        )
    return Design([Point(_RUN, {"models": [arm.model for arm in arms]})], arms)


STUDY = Study(
    name="filters",
    question="What do more filters bring to the accuracy of a small network?",
    design=_design,
    defaults={
        "dataset": "mnist",
        "models": ("small_vgg",),
        "methods": ("gradcam",),
        "metrics": ("iou", "drop_in_confidence"),
        "controls": False,
    },
    with_loss=True,
)
