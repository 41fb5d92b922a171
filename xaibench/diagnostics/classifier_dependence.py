"""Classifier dependence: does a map change with the decision that it is to explain?

A saliency network that was taught by masks may share nothing with the decision but the trunk: with
a random classification head, or asked about another class, it draws the same map.
"""

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from xaibench.core.networks.random_weights import classification_head, with_random_weights
from xaibench.core.resemblance import Floats, resemblance, shrink
from xaibench.diagnostics.finding import FAIL, PASS, UNDECIDED, Finding
from xaibench.diagnostics.subject import Subject
from xaibench.explaining.batch import Maps

NAME = "classifier_dependence"
# Above this, by rank and by structure, the two maps look the same.
_SAME = 0.95


def verdict_of(ours: Floats, theirs: Floats) -> tuple[str, str, dict[str, float]]:
    """Return the verdict on maps ``(B, h, w)`` before and after, why, and the figures.

    They fail where both means over the images, of rank correlation and of SSIM, reach 0.95.
    Originals that are constant are none to judge by, and are not given here.
    """
    if not len(ours):
        return UNDECIDED, "all original maps are constant or not finite", {}
    found = resemblance(ours, theirs)
    ranked = found.rank[~np.isnan(found.rank)]
    structure = float(found.structure.mean())
    if not len(ranked):
        return PASS, "all maps after the change are constant (changed)", {"ssim": structure}
    rank = float(ranked.mean())
    same = structure >= _SAME and rank >= _SAME
    why = (
        f"rank correlation {rank:.2f}, ssim {structure:.2f} ({'unchanged' if same else 'changed'})"
    )
    return FAIL if same else PASS, why, {"rank_correlation": rank, "ssim": structure}


def next_classes(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the class with the highest logit beside the target, ``(B,)``."""
    others = logits.scatter(1, targets[:, None], float("-inf"))
    return others.argmax(dim=1)


def classifier_dependence(subject: Subject) -> Iterator[Finding]:
    """Yield two rows for each method: with a random classification head, and for another class."""
    head = classification_head(subject.model, subject.images)
    random_head = with_random_weights(subject.model, head, subject.images, seed=subject.seed)
    yield from _compare(subject, f"random head ({', '.join(head)})", subject.maps_of(random_head))
    logits = subject.engine_of(subject.model).logits(subject.images)
    others = next_classes(logits, subject.targets)
    yield from _compare(subject, "another class", subject.maps_of(subject.model, others))


def _compare(subject: Subject, stage: str, found: dict[str, Maps | str]) -> Iterator[Finding]:
    for spec, maps in found.items():
        about = (NAME, subject.name, spec, stage)
        if isinstance(maps, str):
            yield Finding(*about, 0, verdict=UNDECIDED, why=f"failed: {maps}")
            continue
        rows = subject.usable(spec)
        before = shrink(subject.maps[spec].values)[rows]
        verdict, why, values = verdict_of(before, shrink(maps.values)[rows])
        yield Finding(*about, len(before), values, verdict, why)
