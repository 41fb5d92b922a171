"""Top-K Intersection: how many of the map's k highest pixels lie inside the mask."""

from torch import Tensor, full_like

from xaibench.core.errors import XaibenchError
from xaibench.core.overlap import expected_top
from xaibench.core.regions import where_filled
from xaibench.core.registry import metric


@metric(
    higher_is_better=True,
    paper="theiner2022interpretable",
    threshold="none: as many pixels as are asked for",
    ties="pixels tied at the last place share the room that is left",
    pixelwise=True,
    title="Top-K Intersection",
)
def top_k(maps: Tensor, masks: Tensor, *, k: int = 100) -> Tensor:
    """Return the share of the map's k highest pixels inside the mask (mask > 0), shape (B,).

    In [0, 1]; NaN where the mask is empty; 0 for a map of zeros, which has no highest pixels. A
    mask of fewer than k pixels can't be hit by all of them.

    Options:
        k: number of pixels; of a smaller image all.

    >>> from torch import tensor
    >>> maps = tensor([[[0.9, 0.8, 0.2], [0.0, 0.1, 0.1]]])
    >>> masks = tensor([[[1, 0, 0], [1, 0, 0]]])
    >>> top_k(maps, masks, k=4)  # the third, too, and one of those that tie; one of them is true
    tensor([0.2500])
    """
    if k < 1:
        raise XaibenchError(f"top_k[k={k}]: choose at least one pixel.")
    taken = min(k, maps[0].numel())
    size = full_like(masks[:, 0, 0].long(), taken)
    return where_filled(expected_top(maps, masks > 0, size) / taken, masks)
