"""How hot the map is on what matters most."""

from torch import Tensor

from xaibench.core.regions import mean_over, top
from xaibench.core.registry import metric


@metric(title="Coverage", higher_is_better=True, pixelwise=True)
def coverage(maps: Tensor, masks: Tensor, *, grade: int | None = None) -> Tensor:
    """Return the map's mean over the mask's top grade, or over another one, shape (B,).

    The top is the highest grade, where positive: 3 of a layered mask, 1 of a binary one. In [0, 1];
    NaN where no grade is positive; 0 for a map of zeros. A map that is hot everywhere reaches 1:
    read it beside `coverage_outside`.

    Options:
        grade: take the pixels of this grade; NaN where there are none.

    >>> from torch import tensor
    >>> maps = tensor([[[1.0, 0.5, 0.2], [0.0, 0.6, 0.1]]])
    >>> masks = tensor([[[3, 1, -1], [3, 2, 0]]])
    >>> coverage(maps, masks)  # (1 + 0) / 2
    tensor([0.5000])
    >>> coverage(maps, masks, grade=2)
    tensor([0.6000])
    """
    return mean_over(maps, top(masks) if grade is None else masks == grade)
