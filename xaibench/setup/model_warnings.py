"""What of a model a plan must tell before its maps are taken for something else."""

from collections.abc import Iterator

from xaibench.core.contract import CHECKPOINT
from xaibench.core.model import Model
from xaibench.core.networks.sources import source_of
from xaibench.core.plugin import Bound

LEARNED_MAPS = frozenset({"saliency", "class_maps"})
"""A model's own maps, which are noise where they had nothing to learn from."""


def notes_on_size(model: Bound, weights: str, size: int) -> Iterator[str]:
    """Yield what the plan notes where first weights learned from images of another size.

    Args:
        model: the plugin.
        weights: the run's ``--weights``.
        size: side of the run's images.
    """
    name = str(model.options.get("backbone") or (model.plugin.member and model.plugin.name))
    if not name or weights == "none" or model.shared.get(CHECKPOINT):
        return
    source, own = source_of(name)
    learned = source.image_size(own)
    if learned in (None, size):
        return
    what = (
        "its position embeddings are interpolated"
        if source.is_of_one_size(own)
        else "it may be less accurate"
    )
    yield (
        f"{model.spec}: the first weights of {name} come from images of {learned} x {learned}; the "
        f"run's are {size} x {size}, so that {what}; --image-size {learned} is its own size."
    )


def doubts_about(model: Bound, prototype: Model, weights: str, *, drawn: bool) -> Iterator[str]:
    """Yield warnings about a model.

    Args:
        model: the plugin.
        prototype: what it builds.
        weights: the run's ``--weights``.
        drawn: whether chance says which images are for testing.
    """
    takes_weights = "weights" in model.plugin.signature.words
    frozen = any(not parameter.requires_grad for parameter in prototype.parameters())
    if takes_weights and frozen and weights == "none":  # that may be meant, as a control
        yield (
            f"{model.spec}: under --weights none what is frozen are random numbers; give --weights "
            "imagenet or a state dict's file."
        )
    own_maps = prototype.abilities & LEARNED_MAPS
    if prototype.trained and own_maps and prototype.supervision is None:
        yield (
            f"{model.spec}: it comes trained, with maps of its own, and doesn't declare what they "
            'learned from; give its Model supervision="masks", or what it was.'
        )
    if prototype.trained and drawn:
        yield (
            f"{model.spec}: it comes trained, so that some of the test images may be those that it "
            "learned from, and its scores too high; test on others: --split official or file:DIR."
        )
