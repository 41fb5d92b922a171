"""Copies of somebody's publication: plain files of known names, tables without formulas."""

import lzma
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.store import replacing
from xaibench.report.publication import PICTURES, TABLES, TEXTS
from xaibench.results.plain import check_plain

_LARGEST = 2**30  # bytes, unpacked
_PART = 2**22  # bytes at a time
# What a spreadsheet takes for a formula at the start of a cell; numbers have signs, too.
_NUMBER = rb"(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|nan)"
_WIDE = "|".join("\uff1d\uff0b\uff20\uff0d").encode()
_FORMULA = re.compile(rb'[,\n]"?(?:[=@\t]|[+-](?!' + _NUMBER + rb'"?[,\r\n])|' + _WIDE + rb")")
_PICTURES = {".png": b"\x89PNG\r\n\x1a\n", ".jpg": b"\xff\xd8\xff"}


def copy_publication(source: Path, out: Path) -> None:
    """Copy what a site shows of a publication or of a study; its runs are left out.

    Args:
        source: the publication's folder, which may be anybody's.
        out: a folder that isn't there yet.

    Raises:
        XaibenchError: a file is a link, a picture is none, or a cell of a table is a formula.
    """
    check_plain(source)
    for path in _wanted(source):
        if path.is_symlink() or not path.is_file():
            raise XaibenchError(f"{path}: no plain file; put a copy of the file there.")
        if path.name in TABLES:
            _check_cells(path)
        elif path.suffix in _PICTURES:
            _check_picture(path)
        place = out / path.relative_to(source)
        with replacing(place) as temporary:
            shutil.copyfile(path, temporary)


def _wanted(source: Path) -> Iterator[Path]:
    for pattern in (*TEXTS, *TABLES, *PICTURES):
        yield from sorted(source.glob(pattern))


def _check_picture(path: Path) -> None:
    with path.open("rb") as file:
        start = _PICTURES[path.suffix]
        if file.read(len(start)) != start:
            raise XaibenchError(f"{path}: not a {path.suffix[1:].upper()} file; remove it.")


def _check_cells(path: Path) -> None:
    """Refuse a table in which a spreadsheet would run a cell."""
    rest, size = b"", 0
    with (lzma.open if path.suffix == ".xz" else open)(path, "rb") as file:
        while part := file.read(_PART):
            text, size = b"\n" + rest + part, size + len(part)
            whole = text.rfind(b"\n") + 1
            rest = text[whole:]
            if size > _LARGEST or len(rest) > _PART:
                raise XaibenchError(f"{path}: unpacks to far more than a table; remove it.")
            _check_lines(text[:whole], path)
    _check_lines(b"\n" + rest + b"\n", path)


def _check_lines(text: bytes, path: Path) -> None:
    if _FORMULA.search(text):
        raise XaibenchError(
            f"{path}: a cell begins like a formula; write the tables again with `xaibench "
            "publish`, which marks such cells as text."
        )
