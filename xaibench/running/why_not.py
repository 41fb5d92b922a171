"""Why a run's metrics and methods can't do their work on its data and networks, before they try."""

from contextlib import suppress
from math import prod

from xaibench.core.contract import CLASSIFIER_WORDS, LAYER_WORDS, MASK_WORDS
from xaibench.core.errors import XaibenchError
from xaibench.core.metric_words import JUDGED_WORDS
from xaibench.core.model import Model
from xaibench.core.passes.layers import cam_layer_of
from xaibench.core.passes.own_layer import with_layer
from xaibench.core.plugin import Bound
from xaibench.explaining.tuned import TUNED
from xaibench.setup.building import missing_word, why_no_attention
from xaibench.setup.model_warnings import LEARNED_MAPS
from xaibench.setup.selection import Selection


def why_no_score(selection: Selection, metric: Bound) -> str | None:
    """Return why a run can't score by a metric, if it can't."""
    words = metric.plugin.signature.words
    if "masks" in words and not selection.dataset.annotated:
        return f"{selection.dataset_spec} has no masks"
    if JUDGED_WORDS & set(words) and selection.judge is None:
        return "no model of the run classifies; name one that judges with --judge"
    splits = [selection.split(fold) for fold in selection.folds]
    if TUNED in words and not all(split.seen_in(split.validation) for split in splits):
        return "no validation mask may be seen under this --mask-fraction"
    return None


def why_no_layer(selection: Selection, prototype: Model, method: Bound) -> str | None:
    """Return why a method finds no layer to read in a network, if it asks for one."""
    reads = set(method.plugin.signature.words) & LAYER_WORDS
    if not (reads and prototype.classifies and (prototype.cam_layer or method.layer)):
        return None
    try:
        cam_layer_of(with_layer(prototype, method.layer), selection.blank)
    except XaibenchError as error:
        return str(error).rstrip(".")
    return why_no_attention(method, prototype, selection.blank)


def why_no_map(selection: Selection, model: Bound, prototype: Model, method: Bound) -> str | None:
    """Return what a method asks for and a run or a network can't give, if anything."""
    words, learns = set(method.plugin.asked), "training_masks" in method.plugin.asked
    if (learns or words & MASK_WORDS) and not selection.dataset.annotated:
        return f"{selection.dataset_spec} has no masks"
    blind = not any(selection.split(f).seen for f in selection.folds)
    if blind and (learns or "mean_mask" in words):
        return "no training mask may be seen under this --mask-fraction"
    word = missing_word(method, prototype, selection.blank)
    if word in CLASSIFIER_WORDS and not prototype.classifies:
        return f"{model.plugin.name} doesn't classify"
    if word:
        return f"{model.plugin.name} has no {word}"
    declared = prototype.supervision
    known = prototype.trained or (declared is not None and not declared.localizes)
    if words & LEARNED_MAPS and not (selection.dataset.annotated or known):
        return f"{selection.dataset_spec} has no masks to learn from"
    return None


def count_places(selection: Selection, prototype: Model) -> int:
    """Return how many numbers a CAM of a network has."""
    with suppress(XaibenchError):  # that layer fails its cells, and alone
        return prod(cam_layer_of(prototype, selection.blank).shape[1:])
    return selection.options.image_size**2
