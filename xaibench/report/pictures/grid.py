"""Heat maps in a grid."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray
from PIL import Image

from xaibench.report.facts.proper_names import method_name
from xaibench.report.pictures.grid_sheet import CELL, DPI, FONT, GridSheet
from xaibench.report.pictures.outline import outlines
from xaibench.report.pictures.overlay import overlay

# Inches. Cells are placed by hand, because matplotlib's layouts leave wide gaps round pictures.
_GAP, _CAPTION, _LINE, _MARGIN = 0.05, 1.5, 0.13, 0.08
_TALLEST, _BAR = 1.5, 0.09
_ACROSS = 16  # methods; more of them go on below
_MOST = 4000 / DPI  # inches; programs fail at larger pictures, and nobody finds a map in them


class GridRow(NamedTuple):
    """One image and its maps: ``(H, W, 3)`` uint8, ``(H, W)`` int8 or None, ``(H, W)`` in [0, 1].

    The caption is at the left; it may have several lines. A map that isn't there, or None,
    leaves its place empty. ``scores`` are written on the maps that have one.
    """

    caption: str
    image: NDArray[np.uint8]
    mask: NDArray[np.int8] | None
    maps: Mapping[str, NDArray[np.float32] | None]
    scores: Mapping[str, float] = {}

    @property
    def height(self) -> float:
        """Of its cells, in inches."""
        return _height_of(self.image)


class PictureBlock(NamedTuple):
    """Plain pictures: headings, and for each row a caption and pictures ``(H, W, 3)`` uint8."""

    headings: Sequence[str]
    rows: Sequence[tuple[str, Sequence[NDArray[np.uint8]]]]

    @property
    def height(self) -> float:
        """In inches."""
        return _MARGIN + _LINE + sum(_height_of(pictures[0]) + _GAP for _, pictures in self.rows)


class _Block(NamedTuple):
    """Some methods of all rows, and the headings above them."""

    methods: Sequence[str]
    headings: Sequence[str]

    @property
    def head(self) -> float:
        return _MARGIN + _LINE * max(heading.count("\n") + 1 for heading in self.headings)


def draw_grid(
    rows: Sequence[GridRow], path: Path, title: str = "", below: Sequence[PictureBlock] = ()
) -> None:
    """Save a PNG: a row for each image, a column for each method, the mask outlined everywhere.

    The more relevant a pixel, the more opaque its heat. A method without a map for an image leaves
    its cell empty. A layered mask is outlined at every positive grade. Of many methods all rows
    are once for the first ones, and again below for the next. No side is longer than 4000
    pixels: what has no room is left out, and a line at the foot says how much. Plain pictures are
    ``below``.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not rows and not below:
        raise ValueError("draw_grid needs at least one row.")
    top = 1.6 * _LINE if title else 0
    plain = sum(block.height for block in below)
    blocks: Sequence[_Block] = list(_blocks(rows)) if rows else []
    left_out = ""
    if rows:
        rows, blocks, left_out = _fitting(rows, blocks, _MOST - top - 5 * _LINE - plain)
    scaled = any(block.methods for block in blocks)
    foot = 3 * _LINE if scaled else _MARGIN
    height = top + sum(_height(block, rows) for block in blocks) + foot + plain
    headings = [*(block.headings for block in blocks), *(block.headings for block in below)]
    across = max(map(len, headings))
    sheet = GridSheet(
        _CAPTION + across * (CELL + _GAP) + _MARGIN, height + (2 * _LINE if left_out else 0)
    )
    sheet.write(_CAPTION, _MARGIN, title, va="top", size=FONT + 2, weight="bold")
    for block in blocks:
        top = _draw_block(sheet, block, rows, top)
    if scaled:
        _draw_scale(sheet, top + 0.6 * _LINE, any(row.mask is not None for row in rows))
    top += foot
    for pictures in below:
        top = _draw_pictures(sheet, pictures, top)
    if left_out:
        sheet.write(_MARGIN, height, f"left out: {left_out}", va="top", weight="bold")
    sheet.save(path)


def _fitting(
    rows: Sequence[GridRow], blocks: Sequence[_Block], room: float
) -> tuple[Sequence[GridRow], Sequence[_Block], str]:
    """Return the images and the blocks that have room, at least one each, and what has not."""
    images = len(rows)
    while len(rows) > 1 and _height(blocks[0], rows) > room:
        rows = rows[:-1]
    kept = [blocks[0]]
    for block in blocks[1:]:
        if sum(_height(each, rows) for each in [*kept, block]) > room:
            break
        kept.append(block)
    methods = sum(len(block.methods) for block in blocks[len(kept) :])
    lost = {"methods": methods, "images": images - len(rows)}
    return rows, kept, ", ".join(f"{count} more {what}" for what, count in lost.items() if count)


def _height(block: _Block, rows: Sequence[GridRow]) -> float:
    return block.head + sum(row.height + _GAP for row in rows)


def _height_of(picture: NDArray[np.uint8]) -> float:
    return CELL * min(len(picture) / len(picture[0]), _TALLEST)


def _blocks(rows: Sequence[GridRow]) -> Iterator[_Block]:
    there = {name for row in rows for name, heat in row.maps.items() if heat is not None}
    methods = [
        name for name in dict.fromkeys(name for row in rows for name in row.maps) if name in there
    ]
    for first in range(0, max(len(methods), 1), _ACROSS):
        chosen = methods[first : first + _ACROSS]
        yield _Block(chosen, [_wrap(name) for name in ["image", *map(_titled, chosen)]])


def _draw_heads(sheet: GridSheet, headings: Sequence[str], top: float) -> list[float]:
    """Write headings above ``top``; return where their columns begin."""
    lefts = [_CAPTION + at * (CELL + _GAP) for at in range(len(headings))]
    for left, heading in zip(lefts, headings, strict=True):
        sheet.write(left + CELL / 2, top - 0.04, heading, ha="center", va="bottom")
    return lefts


def _draw_caption(sheet: GridSheet, caption: str, middle: float) -> None:
    sheet.write(_CAPTION - 0.06, middle, _wrap(caption), ha="right", va="center")


def _draw_pictures(sheet: GridSheet, block: PictureBlock, top: float) -> float:
    """Draw a block of plain pictures; return where it ends."""
    top += _MARGIN + _LINE
    lefts = _draw_heads(sheet, block.headings, top)
    for caption, pictures in block.rows:
        height = _height_of(pictures[0])
        _draw_caption(sheet, caption, top + height / 2)
        for left, picture in zip(lefts, pictures, strict=True):
            sheet.paste(left, top, _resized(picture, height))
        top += height + _GAP
    return top


def _draw_block(sheet: GridSheet, block: _Block, rows: Sequence[GridRow], top: float) -> float:
    """Draw a block; return where it ends."""
    top += block.head
    lefts = _draw_heads(sheet, block.headings, top)
    for row in rows:
        _draw_caption(sheet, row.caption, top + row.height / 2)
        image = _resized(row.image, row.height)
        grades = [] if row.mask is None else outlines(row.mask)
        for left, method in zip(lefts, [None, *block.methods], strict=True):
            heat = row.maps.get(method) if method else None
            if method and heat is None:
                continue
            sheet.paste(left, top, image if heat is None else _heated(image, heat))
            sheet.outline(left, top, row.height, grades)
            if method and method in row.scores:
                _write_score(sheet, left, top + row.height, row.scores[method])
        top += row.height + _GAP
    return top


def _resized(picture: NDArray[np.uint8], height: float) -> NDArray[np.uint8]:
    size = round(CELL * DPI), round(height * DPI)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


def _write_score(sheet: GridSheet, left: float, bottom: float, score: float) -> None:
    edge = [Stroke(linewidth=1.6, foreground="black"), Normal()]
    text = f"{score:.2f}"
    sheet.write(left + 0.05, bottom - 0.05, text, color="white", va="bottom", path_effects=edge)


def _heated(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    shown = Image.fromarray(np.clip(np.nan_to_num(heat), 0, 1).astype(np.float32))
    size = image.shape[1], image.shape[0]
    return overlay(image, np.asarray(shown.resize(size, Image.Resampling.BILINEAR)).clip(0, 1))


def _titled(name: str) -> str:
    """Return a method as papers write it, its options and what is wrong with a map below."""
    spec, line, wrong = name.partition("\n")
    return method_name(spec).replace(" (", "\n(") + line + wrong


def _wrap(text: str) -> str:
    return "\n".join(textwrap.fill(line, 22) for line in text.split("\n"))


def _draw_scale(sheet: GridSheet, top: float, outlined: bool) -> None:
    """Show what each heat looks like over mid gray."""
    left = _CAPTION + CELL + _GAP
    size = round(_BAR * DPI), round(CELL * DPI)
    heat = np.broadcast_to(np.linspace(0, 1, size[1], dtype=np.float32), size)
    sheet.paste(left, top, overlay(np.full((*size, 3), 128, np.uint8), heat))
    for share in (0, 1):
        place = left + share * CELL
        sheet.write(place, top + _BAR + 0.01, str(share), ha="center", va="top", size=FONT - 1.5)
    # On the left, where the images are: with a single method there is no room on the right.
    text = f"{'line: mask    ' if outlined else ''}saliency"
    sheet.write(left - 0.1, top + _BAR / 2, text, ha="right", va="center", size=FONT - 0.5)
