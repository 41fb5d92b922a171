"""What the first and the last bytes of an image file tell, without its pixels."""

import os
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from xaibench.core.files import open_plain
from xaibench.core.reading.opening import FORMATS, has_depth, open_picture

_TAIL = 64
_ENDS = {"PNG": b"IEND", "JPEG": b"\xff\xd9"}


class Header(NamedTuple):
    """Sides in pixels as they are stored, and whether grays have more than 8 bits."""

    width: int
    height: int
    deep: bool


def read_header(path: Path) -> Header:
    """Return what a file's header says; pixels are read only where its end is missing.

    Raises:
        XaibenchError: the file can't be read.
    """
    try:
        with open_plain(path) as stream, Image.open(stream, formats=FORMATS) as image:
            found = Header(image.width, image.height, has_depth(image))
            end = _ENDS.get(image.format or "", b"")
            stream.seek(-min(_TAIL, path.stat().st_size), os.SEEK_END)
            whole = end in stream.read()
    except Exception:  # damaged files raise whatever they like; opening them says why
        whole = False
    if not whole:
        opened = open_picture(path)
        found = Header(opened.width, opened.height, has_depth(opened))
    return found
