"""What a plan and an audit tell of a folder: files that no sample has, and parts that it names."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from xaibench.core.data import Box
from xaibench.core.reading.folders.listing import Listing
from xaibench.core.reading.voc_xml import Named
from xaibench.core.splits import PARTS

_SHOWN = 10
_UNREAD = (
    ".mha", ".mhd", ".nrrd", ".npz", ".mat", ".heic", ".heif",
    ".avif", ".jxl", ".svg", ".psd", ".raw", ".czi", ".svs", ".ndpi", ".mp4", ".avi", ".json",
)  # fmt: skip


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
    unread = Counter(
        ending
        for file in map(str.lower, files)
        if file.endswith(_UNREAD)
        for ending in _UNREAD
        if file.endswith(ending)
    )
    listed = ", ".join(f"{ending} ({count})" for ending, count in sorted(unread.items()))
    said = (
        f"files of these kinds are not read: {listed}; save images as PNG, and annotations as "
        "masks or Pascal VOC XML."
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
    joined = [label for label in labels if re.search(r"[|;]", label)]
    if not joined:
        return ()
    return (
        f"{len(joined)} labels seem to hold several findings, such as '{joined[0]}'; each "
        "combination is a class of its own.",
    )
