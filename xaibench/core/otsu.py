"""Otsu's threshold of a map: what divides its values best into two classes (otsu1979threshold)."""

from typing import Literal

from torch import Tensor, arange, zeros

from xaibench.core.overlap import Of, mark

_BINS = 256


def mark_of(metric: str, maps: Tensor, threshold: float, of: Literal[Of, "otsu"]) -> Tensor:
    """Return which pixels a metric's threshold marks, or Otsu's, which needs none, ``(B, H, W)``.

    Raises:
        XaibenchError: a threshold that marks all or nothing, whatever the map.
    """
    return mark_by_otsu(maps) if of == "otsu" else mark(metric, maps, threshold, of)


def mark_by_otsu(maps: Tensor) -> Tensor:
    """Return which pixels lie above each map's own threshold, ``(B, H, W)`` bool.

    The values from the lowest to the highest fall into 256 bins; the threshold is the middle of the
    bin behind which the variance between both classes is largest, of equal ones the first. A
    constant map marks nothing.
    """
    values = maps.flatten(1).double()
    low, high = values.amin(dim=1, keepdim=True), values.amax(dim=1, keepdim=True)
    span = (high - low).where(high > low, 1.0)
    places = ((values - low) / span * _BINS).long().clamp(0, _BINS - 1)
    counts = zeros(len(maps), _BINS, dtype=values.dtype, device=maps.device)
    counts.scatter_add_(1, places, counts.new_ones(1).expand(places.shape))
    middles = low + span * (arange(_BINS, device=maps.device) + 0.5) / _BINS
    sizes, sums = counts.cumsum(dim=1), (counts * middles).cumsum(dim=1)
    below, beyond = sizes[:, :-1], sizes[:, -1:] - sizes[:, :-1]
    gap = sums[:, :-1] / below - (sums[:, -1:] - sums[:, :-1]) / beyond
    # The highest and the lowest bin are never empty; rounding must not part equal variances.
    between = (below * beyond * gap.square()).nan_to_num(0.0)
    best = between >= between.amax(dim=1, keepdim=True) * (1 - 1e-12)
    threshold = middles.gather(1, best.double().argmax(dim=1, keepdim=True))
    marked = (values > threshold) & (high > low)
    return marked.view_as(maps)
