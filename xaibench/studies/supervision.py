"""Supervision: what does annotation buy, and from how many masks on does learned beat post-hoc?"""

from collections.abc import Sequence

from xaibench.core.errors import XaibenchError
from xaibench.results.study_records import Arm
from xaibench.setup.selection import Selection
from xaibench.studies.design import Design, Point, Study, shares, unlearned
from xaibench.training.supervision import reads_masks

_SHARES = ("0.05", "0.1", "0.25", "0.5", "1")
_NONE = "0"


def _design(selection: Selection, values: Sequence[str]) -> Design:
    """Train what learns from masks at each share, and all that classifies without any."""
    fractions = shares(values or _SHARES, above_zero=True)
    if not selection.dataset.annotated:
        raise XaibenchError(f"study supervision: {selection.dataset_spec} has no masks.")
    built = {
        model.spec: selection.build(model, seed=0, weights="none") for model in selection.models
    }
    taught = [name for name, model in built.items() if reads_masks(model, selection.blank)]
    budgeted = [name for name in taught if not built[name].all_masks]
    if not budgeted:
        raise XaibenchError(
            f"study supervision: --models {','.join(built)} learns nothing from a share of the "
            "masks; add a network that does, such as saliency_net, guided or unet[masks=budget]."
        )
    plain = [name for name, model in built.items() if model.classifies]
    changes = {"models": plain, "methods": unlearned(selection), "mask_fraction": 0.0}
    points = [Point(_NONE, changes)] if plain else []
    points += [
        Point(f"{share:g}", {"models": budgeted, "mask_fraction": share}) for share in fractions
    ]
    if len(taught) > len(budgeted):  # they see all masks, whatever the share
        last = points[-1]
        points[-1] = Point(last.name, {**last.changes, "models": taught})
    return Design(points, list(_arms(points, plain)))


def _arms(points: Sequence[Point], plain: Sequence[str]) -> list[Arm]:
    """Set each share against the same network without masks."""
    return [
        Arm(
            point.name,
            model,
            model,
            point.name,
            against=(Arm(_NONE, model, model, _NONE).key,) if model in plain else (),
        )
        for point in points
        for model in point.changes["models"]
    ]


STUDY = Study(
    name="supervision",
    question="What does annotation buy, and from how many masks on does learned saliency overtake "
    "post-hoc methods?",
    design=_design,
    defaults={"metrics": ("iou", "average_precision"), "controls": False, "seeds": (0, 1, 2)},
)
