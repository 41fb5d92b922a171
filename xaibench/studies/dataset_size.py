"""Dataset size: how much do more training images help?"""

from collections.abc import Sequence

from xaibench.results.study_records import Arm
from xaibench.setup.selection import Selection
from xaibench.studies.design import Design, Point, Study, shares

_SHARES = ("0.1", "0.25", "0.5", "0.75", "1")


def _design(selection: Selection, values: Sequence[str]) -> Design:
    """Sweep all models over shares of the training images; validation and test stay."""
    points = [
        Point(f"{share:g}", {"train_fraction": share})
        for share in shares(values or _SHARES, above_zero=True)
    ]
    whole = points[-1].name
    arms = [
        Arm(
            point.name,
            model.spec,
            model.spec,
            point.name,
            against=(Arm(whole, model.spec, model.spec, whole).key,),
        )
        for model in selection.models
        for point in points
    ]
    return Design(points, arms)


STUDY = Study(
    name="dataset-size",
    question="What do more training images bring, for classification and for localization?",
    design=_design,
    defaults={"metrics": ("iou", "average_precision"), "controls": False},
)
