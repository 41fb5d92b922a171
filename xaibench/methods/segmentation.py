"""A segmentation network's own probabilities."""

from typing import Literal

from torch import Tensor

from xaibench.core.registry import method


@method(family="learned", sign="none", rescale="none")
def segmentation(
    class_maps: Tensor, targets: Tensor, *, of: Literal["foreground", "target"] = "foreground"
) -> Tensor:
    """Return 1 - P(background), or the probability of the target's class, shape (B, h, w).

    Options:
        of: ``foreground``, whatever its class, or ``target``, the class explained alone.
    """
    if of == "foreground":
        return 1 - class_maps[:, 0]
    return class_maps.take_along_dim(1 + targets[:, None, None, None], dim=1)[:, 0]
