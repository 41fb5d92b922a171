"""Mask fraction: does localization information help classification, and how much is needed?"""

from collections.abc import Sequence

from xaibench.core.errors import XaibenchError
from xaibench.results.study_records import Arm
from xaibench.setup.selection import Selection
from xaibench.studies.design import Design, Point, Study, shares, unlearned

_FRACTIONS = ("0", "0.05", "0.1", "0.25", "0.5", "1")
_BASELINE, _NONE = "baseline", "0"


def _design(selection: Selection, values: Sequence[str]) -> Design:
    """Sweep the models that learn from masks; the others are trained once, as the baseline."""
    # Each fraction is set against none on the same network: a head of its own changes it, too.
    fractions = sorted({0.0, *shares(values or _FRACTIONS)})
    plain: list[str] = []
    taught: list[str] = []
    for model in selection.models:
        learns = "saliency" in selection.build(model, seed=0, weights="none").abilities
        (taught if learns else plain).append(model.spec)
    if not taught:
        raise XaibenchError(
            f"study mask-fraction: --models {','.join(plain)} learns nothing from masks; add a "
            "saliency-aware network, such as saliency_net."
        )
    if not selection.dataset.annotated:
        raise XaibenchError(f"study mask-fraction: {selection.dataset_spec} has no masks.")
    first = Arm(_BASELINE, plain[0], plain[0], _BASELINE).key if plain else ""
    points = [
        Point(f"{share:g}", {"models": taught, "mask_fraction": share}) for share in fractions
    ]
    arms = [Arm(_BASELINE, model, model, _BASELINE, against=(first,)) for model in plain]
    arms += [
        Arm(
            point.name,
            model,
            model,
            point.name,
            against=(none, first) if point.name != _NONE else (first, none),
        )
        for model in taught
        for none in (Arm(_NONE, model, model, _NONE).key,)
        for point in points
    ]
    if plain:
        # Masks don't touch it, except that they may tune its threshold.
        changes = {
            "models": plain,
            "methods": unlearned(selection),
            "mask_fraction": fractions[-1],
        }
        points.insert(0, Point(_BASELINE, changes))
    return Design(points, arms)


STUDY = Study(
    name="mask-fraction",
    question="Does localization information help classification, and how does localization depend "
    "on the share of training masks that are seen?",
    design=_design,
    defaults={"metrics": ("iou", "average_precision"), "controls": False},
)
