"""Focus: how much of the map lies on the class that it explains, where others stand beside it."""

import math
from collections.abc import Callable

from torch import Tensor

from xaibench.core.mosaics import Size, lay_mosaics, shares
from xaibench.core.registry import metric
from xaibench.core.seeds import BatchGenerator


@metric(
    higher_is_better=True,
    paper="ariasduart2022focus",
    family="faithfulness",
    bounds=(0.0, 1.0),
    target="label",
    ties="of no account",
    baseline="images of other classes, beside the image",
    title="Focus",
)
def focus(
    images: Tensor,
    targets: Tensor,
    explain: Callable[[Tensor], Tensor],
    training_images: Tensor,
    training_labels: Tensor,
    generator: BatchGenerator,
    *,
    tiles: Size = "half",
) -> Tensor:
    """Return the share of a mosaic's map that lies on its tiles of the explained class, shape (B,).

    The mosaic has two tiles of that class, the image itself and a training image, and two training
    images of other classes; chance chooses and places them, the same for all methods. In [0, 1],
    0.5 by chance; higher is better. 0 for a map of zeros; NaN where no other class, or no training
    image of the same one, is there. In the paper all four come from one part of the data.

    Options:
        tiles: ``half`` shrinks the mosaic to the size of an image, as networks of one size need;
            ``full`` is the paper's, where tiles are as large as images.

    >>> from torch import arange, tensor, zeros
    >>> gray = tensor([0.9, 0.1]).view(2, 1, 1, 1)  # the first class is bright, the other dark
    >>> bright, pool = gray[:1].expand(1, 1, 4, 6), gray.repeat(2, 1, 4, 6)
    >>> case = bright, zeros(1).long(), lambda seen: seen[:, 0], pool, arange(4) % 2
    >>> focus(*case, BatchGenerator([1]), tiles="full")  # 0.9 / (0.9 + 0.1)
    tensor([0.9000])
    """
    made = lay_mosaics(
        images, targets, training_images, training_labels, generator, alike=1, size=tiles
    )
    on = shares(explain(made.images), made.places)[:, :2].sum(dim=1)
    return on.where(made.known, math.nan)
