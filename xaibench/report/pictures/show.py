"""An image beside its saliency maps, as one picture for a notebook or a file."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.report.pictures.drawing import new_figure, styled
from xaibench.report.pictures.outline import COLOR, outlines
from xaibench.report.pictures.overlay import overlay

_SIDE = 2.2  # inches of a panel's longer side
_TITLE = 0.25
_ACROSS = 5
_DPI = 150
_CHANNELS = (1, 3)
_FLAT, _DEEP = 2, 3
_BYTE = 255


@styled
def show(
    image: Tensor | NDArray[Any],
    maps: Tensor | NDArray[Any] | Mapping[str, Tensor | NDArray[Any]],
    *,
    mask: Tensor | NDArray[Any] | None = None,
    row: int = 0,
) -> Image.Image:
    """Draw an image and, over it, its saliency maps.

    Args:
        image: ``(H, W)``, ``(C, H, W)`` or ``(H, W, C)`` with one or three channels, as bytes or in
            [0, 1]; or a batch of such, of which one ``row`` is shown.
        maps: ``(H, W)`` in [0, 1]; or several by name, such as what `xaibench.explain` returns, of
            which one ``row`` is shown.
        mask: ``(H, W)``: where it is positive, an outline is drawn.
        row: which image of a batch.

    Returns:
        The picture: a notebook shows it, ``.save("map.png")`` writes it.

    Raises:
        XaibenchError: shapes don't fit, or values aren't in range.
    """
    picture = _as_picture(_numbers(image), row)
    size = picture.shape[:2]
    named = maps if isinstance(maps, Mapping) else {"map": maps}
    panels = {"image": picture}
    for name, values in named.items():
        panels[name] = overlay(picture, _as_map(name, _numbers(values), size, row))
    lines = outlines(_as_mask(_numbers(mask), size, row)) if mask is not None else []
    return _draw(panels, [line for grade in lines for line in grade])


def _draw(panels: Mapping[str, NDArray[np.uint8]], lines: Sequence[Any]) -> Image.Image:
    height, width = next(iter(panels.values())).shape[:2]
    scale = _SIDE / max(height, width)
    across = min(len(panels), _ACROSS)
    down = math.ceil(len(panels) / across)
    figure = new_figure((across * width * scale, down * (height * scale + _TITLE)), _DPI)
    for at, (name, pixels) in enumerate(panels.items()):
        cell = height * scale + _TITLE
        place = (
            (at % across + 0.01) / across,
            1 - (at // across + 1) * cell / (down * cell),
            0.98 / across,
            height * scale / (down * cell),
        )
        axes = figure.add_axes(place)
        axes.imshow(pixels, interpolation="nearest", aspect="auto")
        axes.set_title(name, pad=2)
        axes.set_axis_off()
        for line in lines:
            axes.plot(line[:, 0] * width - 0.5, line[:, 1] * height - 0.5, color=COLOR)
    with io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=_DPI)
        with Image.open(file) as drawn:
            return drawn.convert("RGB")


def _numbers(given: Tensor | NDArray[Any]) -> NDArray[Any]:
    if isinstance(given, Tensor):
        values = given.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    return np.asarray(given)


def _as_picture(image: NDArray[Any], row: int) -> NDArray[np.uint8]:
    """Return any image as bytes ``(H, W, 3)``."""
    shape = image.shape
    if image.ndim > _DEEP:
        image = _row(image, row)
    # Of three rows and columns with three channels: as torch has them.
    if (
        image.ndim == _DEEP
        and image.shape[0] in _CHANNELS
        and (image.shape[2] not in _CHANNELS or image.shape[0] == image.shape[2])
    ):
        image = np.moveaxis(image, 0, 2)
    if image.ndim == _FLAT:
        image = image[..., None]
    if image.ndim != _DEEP or image.shape[2] not in _CHANNELS or not image.size:
        raise XaibenchError(
            f"image must be (H, W), (C, H, W) or (H, W, C) with 1 or 3 channels, not {shape}."
        )
    if image.dtype != np.uint8:
        numbers = image.astype(np.float64)
        if not np.isfinite(numbers).all() or numbers.min() < 0 or numbers.max() > 1:
            raise XaibenchError(
                f"image must be bytes or lie in [0, 1], but reaches from {numbers.min():.3g} to "
                f"{numbers.max():.3g}; show it as it was before normalization."
            )
        image = np.rint(numbers * _BYTE).astype(np.uint8)
    return np.broadcast_to(image, (*image.shape[:2], 3))


def _as_map(
    name: str, values: NDArray[Any], size: tuple[int, ...], row: int
) -> NDArray[np.float32]:
    found = _row(values, row) if values.ndim == _DEEP else values
    _check_size(f"map {name!r}", found, size)
    numbers = found.astype(np.float32)
    if not np.isfinite(numbers).all() or numbers.min() < 0 or numbers.max() > 1:
        raise XaibenchError(
            f"map {name!r} must lie in [0, 1], but reaches from {numbers.min():.3g} to "
            f"{numbers.max():.3g}; rescale it first, as xaibench.explain does."
        )
    return numbers


def _as_mask(values: NDArray[Any], size: tuple[int, ...], row: int) -> NDArray[np.int8]:
    found = _row(values, row) if values.ndim == _DEEP else values
    _check_size("mask", found, size)
    return (found > 0).astype(np.int8)


def _row(batch: NDArray[Any], row: int) -> NDArray[Any]:
    if not -len(batch) <= row < len(batch):
        raise XaibenchError(f"row {row}: there are {len(batch)} images; count from 0.")
    found: NDArray[Any] = batch[row]
    return found


def _check_size(what: str, found: NDArray[Any], size: tuple[int, ...]) -> None:
    if found.shape != size:
        raise XaibenchError(
            f"{what} is {found.shape}, but the image is {size}; resize one of them."
        )
