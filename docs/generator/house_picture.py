"""``house.svg``: layers as rooms, and arrows for what they really import.

Rooms are where the plan below puts them; arrows come from the code. One that would point up is an
error, so that the picture can't show another house than there is.
"""

from collections.abc import Mapping

from house_imports import imports_of_layers, needed, parts_of
from house_plan import COLORS, ROOMS, Room

_WIDTH, _HEIGHT, _HEADROOM, _MARGIN, _STEP = 760, 884, 19, 6, 94


def house_picture() -> str:
    """Return the picture as SVG, legible on white and on black.

    Raises:
        ValueError: a layer has no room, or imports one that is higher.
    """
    imports = imports_of_layers()
    if unplaced := set(imports) - set(ROOMS):
        raise ValueError(f"house_plan.ROOMS has no room for {', '.join(sorted(unplaced))}")
    arrows = [_arrow(above, below) for above, below in needed(imports)]
    by_name = ROOMS["setup"], ROOMS["metrics"]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 {_WIDTH + 8} {_HEIGHT + 8}" '
            'font-family="system-ui, sans-serif" font-size="13" role="img">',
            "<title>Layers as rooms, with arrows from those that import to those imported</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto">'
            '<path d="M0 0L8 4L0 8z" fill="#7a828e"/></marker></defs>',
            *(_draw(name, room, parts_of(name)) for name, room in ROOMS.items()),
            '<g fill="none" stroke="#7a828e" stroke-width="1.6" marker-end="url(#tip)">',
            *arrows,
            "</g>",
            f'<path d="M320 {by_name[0].bottom}V{by_name[1].top - 22}" fill="none" '
            'stroke="#9a6a9e" stroke-width="1.6" stroke-dasharray="4 3" marker-end="url(#tip)"/>',
            '<rect x="58" y="662" width="398" height="72" rx="6" fill="none" stroke="#9a6a9e" '
            'stroke-dasharray="4 3"/>',
            _text(66, 678, "plugins: looked up by name, side by side", "#9a6a9e", 12),
            "</svg>\n",
        ]
    )


def _draw(name: str, room: Room, parts: list[list[str]]) -> str:
    fill, stroke = COLORS[room.color]
    width, height = room.right - room.left, room.bottom - room.top
    lines = [
        f'<rect x="{room.left}" y="{room.top}" width="{width}" height="{height}" rx="6" '
        f'fill="{fill}" stroke="{stroke}"/>',
        _text(
            room.left + 9,
            room.top + _HEADROOM,
            name,
            "#1c2330",
            14 if room.purpose else 13,
            bold=bool(room.purpose),
        ),
    ]
    if width > height and height < _HEADROOM * 2:
        lines.append(_text(room.left + 80, room.top + _HEADROOM, room.purpose, "#4a5364", 12))
    elif room.purpose:
        lines.append(_text(room.left + 9, room.top + 38, room.purpose, "#4a5364", 12))
    return "\n".join([*lines, *_draw_parts(room, parts, stroke)])


def _draw_parts(room: Room, parts: list[list[str]], stroke: str) -> list[str]:
    """Stack the parts of a tall room, and set those of a flat one side by side."""
    tall = room.bottom - room.top > (room.right - room.left) // 2
    if not tall:
        parts = [[name for row in parts for name in row]]
    left = room.left + 9 if tall else room.right - _STEP * len(parts[0])
    top = room.top + (48 if tall else 14)
    lines = []
    for level, row in enumerate(parts):
        for place, name in enumerate(row):
            x, y = left + _STEP * place, top + 33 * level
            lines += [
                f'<rect x="{x}" y="{y}" width="{_STEP - 10}" height="21" rx="4" '
                f'fill="#ffffff" fill-opacity="0.6" stroke="{stroke}"/>',
                _text(x + 8, y + 15, name, "#1c2330", 12),
            ]
    return lines


def _arrow(above: str, below: str) -> str:
    first, last = ROOMS[above], ROOMS[below]
    if first.bottom > last.top:
        raise ValueError(f"{above} imports {below}, which is no lower in the house")
    if (x := _free(first, last, ROOMS)) is not None:
        return f'<path d="M{x} {first.bottom}V{last.top - 1}"/>'
    # Side by side: a bow from the nearer edge of one to the nearer edge of the other.
    leftwards = first.left >= last.right
    start = first.left + 14 if leftwards else first.right - 14
    end = last.right - 14 if leftwards else last.left + 14
    middle = (first.bottom + last.top) // 2
    return (
        f'<path d="M{start} {first.bottom}C{start} {middle} {end} {middle} {end} {last.top - 1}"/>'
    )


def _free(first: Room, last: Room, rooms: Mapping[str, Room]) -> int | None:
    """Return where a straight arrow meets no room in between: the middle of the widest gap."""
    left, right = max(first.left, last.left), min(first.right, last.right)
    between = [r for r in rooms.values() if r.top >= first.bottom and r.bottom <= last.top]
    clear = [
        x
        for x in range(left + _MARGIN, right - _MARGIN + 1)
        if not any(room.left - _MARGIN < x < room.right + _MARGIN for room in between)
    ]
    runs: list[list[int]] = []
    for x in clear:
        if runs and runs[-1][-1] == x - 1:
            runs[-1].append(x)
        else:
            runs.append([x])
    widest = max(runs, key=len, default=[])
    return widest[len(widest) // 2] if widest else None


def _text(x: int, y: int, text: str, color: str, size: int, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x}" y="{y}" fill="{color}" font-size="{size}"{weight}>{text}</text>'
