"""Loss: where do the artifacts in learned saliency maps come from?"""

from collections.abc import Mapping, Sequence
from itertools import product

from xaibench.core.errors import XaibenchError
from xaibench.core.suggest import did_you_mean
from xaibench.results.study_records import Arm
from xaibench.setup.selection import Selection
from xaibench.studies.design import Design, Point, Study, model_with, vary

# The first level of each factor is what the others are compared with.
_FACTORS: Mapping[str, Sequence[str]] = {
    "loss": ("bce", "l1", "l2", "ssim", "dice"),
    "upsampling": ("bilinear", "nearest", "transposed", "shuffle"),
    "blocks": ("5", "4", "3"),
}
_RUN = "run"


def _design(selection: Selection, values: Sequence[str]) -> Design:
    """Cross localization loss, upsampling mode and depth of one saliency-aware network."""
    model = model_with(selection, "loss", *_FACTORS)
    levels = _chosen(values)
    arms: list[Arm] = []
    for chosen in product(*levels.values()):
        factors = dict(zip(levels, chosen, strict=True))
        arms.append(
            Arm(
                _RUN,
                vary(model, **factors),
                model.plugin.name,
                ", ".join(chosen),
                against=(arms[0].key,) if arms else (),
                factors=factors,
            )
        )
    return Design([Point(_RUN, {"models": [arm.model for arm in arms]})], arms)


def _chosen(values: Sequence[str]) -> dict[str, list[str]]:
    """Sort levels into their factors; a factor of which none is named keeps all."""
    found: dict[str, list[str]] = {factor: [] for factor in _FACTORS}
    known = {level: factor for factor, levels in _FACTORS.items() for level in levels}
    for value in values:
        factor = "blocks" if value.isdecimal() and int(value) else known.get(value)
        if factor is None:
            raise XaibenchError(
                f"--values {value}: there is no such level{did_you_mean(value, known)}; choose one "
                f"of {', '.join(known)}, or another number of blocks."
            )
        if value in found[factor]:
            raise XaibenchError(f"--values {','.join(values)}: repeats {value}.")
        found[factor].append(value)
    return {factor: found[factor] or list(levels) for factor, levels in _FACTORS.items()}


STUDY = Study(
    name="loss",
    question="Where do the artifacts in the saliency maps come from: the localization loss, the "
    "upsampling mode or the depth of the network that predicts them?",
    design=_design,
    ordered=False,
    defaults={"methods": ("spn",), "metrics": ("artifacts", "iou"), "controls": False},
)
