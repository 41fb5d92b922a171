"""What a plan and an audit tell of a folder: files that no sample has, and parts that it names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from xaibench.core.reading.folders.listing import Listing
from xaibench.core.splits import PARTS

_SHOWN = 10
_UNREAD = (
    ".dcm", ".dicom", ".nii", ".nii.gz", ".mha", ".mhd", ".npy", ".npz", ".mat", ".heic", ".heif",
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
    unread = Counter(
        ending for file in listing.files for ending in _UNREAD if file.lower().endswith(ending)
    )
    if unread:
        listed = ", ".join(f"{ending} ({count})" for ending, count in sorted(unread.items()))
        said.append(
            f"files of these kinds are not read: {listed}; save images as PNG, and annotations as "
            "masks or Pascal VOC XML."
        )
    return (*said, *tell_parts("the folders name", parts))


def tell_parts(said: str, parts: Mapping[str, int]) -> tuple[str, ...]:
    """Return a sentence on the parts that a dataset has, and how many images each."""
    listed = ", ".join(f"{part} {parts[part]}" for part in PARTS if parts.get(part))
    return (f"{said} parts ({listed}), which --split official keeps.",) if listed else ()


def tell_unused(columns: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence on the columns of a table that mean nothing."""
    names = ", ".join(columns[:_SHOWN]) + (" ..." if len(columns) > _SHOWN else "")
    return (f"these columns of the table are not used: {names}.",) if columns else ()
