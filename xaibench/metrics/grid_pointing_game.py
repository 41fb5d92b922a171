"""Grid Pointing Game: how much of the map lies on the one tile of the explained class."""

import math
from collections.abc import Callable

from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.mosaics import Size, lay_mosaics, shares
from xaibench.core.registry import metric
from xaibench.core.seeds import BatchGenerator


@metric(
    higher_is_better=True,
    paper="bohle2021coda",
    family="faithfulness",
    bounds=(0.0, 1.0),
    target="label",
    ties="of no account",
    baseline="images of other classes, beside the image",
    title="Grid Pointing Game",
)
def grid_pointing_game(
    images: Tensor,
    targets: Tensor,
    confidence: Tensor,
    explain: Callable[[Tensor], Tensor],
    training_images: Tensor,
    training_labels: Tensor,
    generator: BatchGenerator,
    *,
    tiles: Size = "half",
    at_least: float = 0.0,
) -> Tensor:
    """Return the share of a 2 x 2 grid's map that lies on the image's own tile, shape (B,).

    The other three tiles are training images of other classes, different ones where there are
    enough; chance chooses and places them, the same for all methods. In [0, 1], 0.25 by chance;
    higher is better. 0 for a map of zeros; NaN where too few images of other classes are there.

    Options:
        tiles: ``half`` shrinks the grid to the size of an image, as networks of one size need;
            ``full`` is the paper's, where tiles are as large as images.
        at_least: leave out images whose class has a lower confidence, on the image alone; the paper
            takes those that the network is surest of.

    >>> from torch import arange, tensor, zeros
    >>> gray = tensor([0.6, 0.2]).view(2, 1, 1, 1)
    >>> bright, pool = gray[:1].expand(1, 1, 4, 6), gray.repeat(4, 1, 4, 6)
    >>> case = bright, zeros(1).long(), tensor([0.7]), lambda seen: seen[:, 0], pool, arange(8) % 2
    >>> grid_pointing_game(*case, BatchGenerator([1]), tiles="full")  # 0.6 / (0.6 + 3 * 0.2)
    tensor([0.5000])
    """
    if not 0 <= at_least <= 1:
        raise XaibenchError("grid_pointing_game: 'at_least' lies in [0, 1].")
    made = lay_mosaics(
        images, targets, training_images, training_labels, generator, alike=0, size=tiles
    )
    on = shares(explain(made.images), made.places)[:, 0]
    return on.where(made.known & (confidence >= at_least), math.nan)
