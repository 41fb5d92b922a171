"""Figures within the page: SVG whose names clash with nothing, and that can run nothing."""

import re
from pathlib import Path
from xml.etree import ElementTree as Tree

from markupsafe import Markup

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
# What draws may stay. Descriptions, code, links, what moves, and style that would reach beyond the
# figure may not, nor may anything that calls itself the same outside of SVG.
_DRAWS = {
    f"{{{_SVG}}}{name}"
    for name in (
        "g",
        "defs",
        "symbol",
        "use",
        "path",
        "rect",
        "circle",
        "ellipse",
        "line",
        "polyline",
        "polygon",
        "text",
        "tspan",
        "image",
        "clipPath",
        "mask",
        "marker",
        "pattern",
        "linearGradient",
        "radialGradient",
        "stop",
    )
}
_HREF = (f"{{{_LINK}}}href", "href")
_NAME = re.compile(r"url\(#([^)]+)\)")
_ELSEWHERE = re.compile(r"url\((?!#)|@import|expression\(|\\", re.IGNORECASE)
"""What would fetch something, and escapes that could hide it."""
_LENGTH = re.compile(r"[0-9.]+(pt|px|em|in|cm|mm|%)?")
_BLACK = re.compile(r"#000000\b|#000\b|\bblack\b")

Tree.register_namespace("", _SVG)
Tree.register_namespace("xlink", _LINK)


def inline_svg(path: Path, prefix: str) -> Markup | None:
    """Return a figure's SVG to be in a page; None where the file is no SVG.

    Ids begin with ``prefix``, black becomes the color of the text around it, and the width
    follows the page.
    """
    try:
        root = Tree.fromstring(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, Tree.ParseError):
        return None
    if root.tag != f"{{{_SVG}}}svg":
        return None
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag not in _DRAWS:
                parent.remove(child)
    for element in root.iter():
        _rename(element, prefix)
    width = root.attrib.pop("width", "")
    root.attrib.pop("height", None)
    root.set("style", f"width: {width}" if _LENGTH.fullmatch(width) else "")
    root.set("aria-hidden", "true")  # the figure around it says what it shows
    root.set("focusable", "false")
    return Markup(Tree.tostring(root, encoding="unicode"))


def _rename(element: Tree.Element, prefix: str) -> None:
    for name, value in list(element.attrib.items()):
        if name.lower().startswith("on"):
            del element.attrib[name]
        elif name == "id":
            element.set(name, prefix + value)
        elif name in _HREF:
            if value.startswith("#"):
                element.set(name, f"#{prefix}{value[1:]}")
            elif not value.startswith("data:image/"):
                del element.attrib[name]
        elif _ELSEWHERE.search(value):
            del element.attrib[name]
        else:
            renamed = _NAME.sub(rf"url(#{prefix}\1)", value)
            element.set(name, _BLACK.sub("currentColor", renamed))
