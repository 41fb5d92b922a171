"""What files look like where their names don't tell: masks, or images."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.images import read_image

_MOST_READ = 5
_FEW_COLOURS, _NEARLY_ALL = 8, 0.95
_BLACK, _WHITE = 16, 239


def look_like_masks(folder: Path, files: Iterable[str]) -> bool:
    """Whether some of the files hold few flat colours, and none of them more.

    Only a few are read. One of a single colour says nothing: it may be an empty mask.
    """
    names = list(files)
    chosen = names[:: max(len(names) // _MOST_READ, 1)][: 2 * _MOST_READ]
    verdicts = {_looks_like_mask(folder / name) for name in chosen}
    return True in verdicts and False not in verdicts


def _looks_like_mask(file: Path) -> bool | None:
    try:
        grey = read_image(file).max(axis=2)
    except XaibenchError:
        return None
    colours = len(np.unique(grey))
    if colours == 1:
        return None
    extreme = float(((grey <= _BLACK) | (grey >= _WHITE)).mean())
    flat = float((grey[:, 1:] == grey[:, :-1]).mean()) if grey.shape[1] > 1 else 0.0
    return colours <= _FEW_COLOURS or min(extreme, flat) >= _NEARLY_ALL
