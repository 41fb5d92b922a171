"""What files look like where their names don't tell: masks, or images."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.images import read_image

_MOST_READ = 5
_FEW_COLORS, _NEARLY_ALL = 8, 0.95
_BLACK, _WHITE = 16, 239


def look_like_masks(folder: Path, files: Iterable[str]) -> bool:
    """Whether some of the files hold few flat colors, and none of them more.

    Only a few are read. One of a single color says nothing: it may be an empty mask.
    """
    names = list(files)
    chosen = names[:: max(len(names) // _MOST_READ, 1)][: 2 * _MOST_READ]
    verdicts = {_looks_like_mask(folder / name) for name in chosen}
    return True in verdicts and False not in verdicts


def _looks_like_mask(file: Path) -> bool | None:
    try:
        gray = read_image(file).max(axis=2)
    except XaibenchError:
        return None
    colors = len(np.unique(gray))
    if colors == 1:
        return None
    extreme = float(((gray <= _BLACK) | (gray >= _WHITE)).mean())
    flat = float((gray[:, 1:] == gray[:, :-1]).mean()) if gray.shape[1] > 1 else 0.0
    return colors <= _FEW_COLORS or min(extreme, flat) >= _NEARLY_ALL
