"""What a plan and an audit tell of a folder: files that no sample has, and parts that it names."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from xaibench.core.data import Box
from xaibench.core.reading.folders.listing import Listing
from xaibench.core.reading.images import is_image
from xaibench.core.reading.voc_xml import Named
from xaibench.core.splits import PARTS

_SHOWN = 10
_TEXTS = frozenset({
    ".txt", ".md", ".rst", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".html", ".htm", ".css", ".js", ".pdf", ".rtf", ".doc", ".docx", ".xls", ".xlsx", ".log",
    ".py", ".ipynb", ".sh", ".bat", ".m", ".r", ".bib", ".db", ".lnk", ".url", ".cache",
})  # fmt: skip
_ABOUT = frozenset({
    "readme", "license", "licence", "copying", "authors", "changelog", "makefile", "version",
})  # fmt: skip
_NO_ENDING, _DICOM = "no ending", frozenset({"no ending", ".ima", ".dic"})


def remark(
    listing: Listing, loose: Sequence[str], orphans: Sequence[Path], parts: Mapping[str, int]
) -> tuple[str, ...]:
    """Return sentences about a folder.

    Args:
        listing: its files.
        loose: images in no class.
        orphans: masks and boxes of no image.
        parts: how many images each part has.
    """
    said = []
    if orphans:
        said.append(
            f"{len(orphans)} masks or boxes belong to no image, such as {orphans[0]}; they are "
            "passed over."
        )
    if loose:
        said.append(
            f"{len(loose)} images lie in no class folder, such as {loose[0]}; they are passed over."
        )
    return (*said, *tell_unread(listing.files), *tell_parts("the folders name", parts))


def tell_unread(files: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence on files that may hold data and aren't read."""
    names = (PurePosixPath(file.lower()) for file in files if not is_image(file))
    endings = (name.suffix or _NO_ENDING for name in names if name.stem not in _ABOUT)
    unread = Counter(ending for ending in endings if ending not in _TEXTS)
    most = sorted(unread.most_common(_SHOWN))
    listed = ", ".join(f"{ending} ({count})" for ending, count in most)
    more = " and others" if len(unread) > _SHOWN else ""
    renamed = "; give DICOM files the ending .dcm" if unread.keys() & _DICOM else ""
    said = (
        f"files of these kinds are not read: {listed}{more}; save images as PNG, and annotations "
        f"as masks or Pascal VOC XML{renamed}."
    )
    return (said,) if unread else ()


def tell_parts(said: str, parts: Mapping[str, int]) -> tuple[str, ...]:
    """Return a sentence on the parts that a dataset has, and how many images each."""
    listed = ", ".join(f"{part} {parts[part]}" for part in PARTS if parts.get(part))
    return (f"{said} parts ({listed}), which --split official keeps.",) if listed else ()


def tell_unused(columns: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence on the columns of a table that mean nothing."""
    names = ", ".join(columns[:_SHOWN]) + (" ..." if len(columns) > _SHOWN else "")
    return (f"these columns of the table are not used: {names}.",) if columns else ()


def tell_boxes(objects: Mapping[str, Sequence[Named]], classes: Sequence[str]) -> tuple[str, ...]:
    """Return sentences on boxes that may not be meant: of other names, or a single pixel wide."""
    known = {name.casefold() for name in classes}
    names = {each.name for mine in objects.values() for each in mine}
    strange = sorted(name for name in names if name.casefold() not in known and name)
    said = []
    if strange and len(strange) < len(names - {""}):
        said.append(f"boxes of {', '.join(strange[:_SHOWN])} don't count: no class is called so.")
    elif strange:
        said.append(
            f"boxes are called {', '.join(strange[:_SHOWN])}, as no class is: all count as "
            "evidence of their image's class."
        )
    thin = [key for key, mine in objects.items() if any(_is_thin(each.box) for each in mine)]
    if thin:
        said.append(
            f"boxes of {len(thin)} images are a single pixel wide or high, such as in {thin[0]}."
        )
    return tuple(said)


def _is_thin(box: Box) -> bool:
    return box.right - box.left <= 1 or box.bottom - box.top <= 1


def tell_joined(labels: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence on labels that seem to be several findings in one."""
    known = set(labels)
    joined = [
        label
        for label in labels
        if re.search(r"[|;]", label)
        or ("," in label and {part.strip() for part in label.split(",")} <= known)
    ]
    if not joined:
        return ()
    return (
        f"{len(joined)} labels seem to hold several findings, such as '{joined[0]}'; each "
        "combination is a class of its own.",
    )
