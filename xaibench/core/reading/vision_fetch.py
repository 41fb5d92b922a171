"""Letting torchvision's datasets download themselves."""

from collections.abc import Callable
from pathlib import Path

from xaibench.core.errors import XaibenchError


def download(load: Callable[[], object], root: Path, address: str, example: Path) -> None:
    """Call a loader of torchvision that downloads its data below ``root``.

    Args:
        load: constructs the dataset with ``download=True``.
        root: is made where it isn't there.
        address: where the data comes from, for the message.
        example: a file that is there afterwards, to show the layout.

    Raises:
        XaibenchError: no connection, no space, or an archive that isn't intact.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        load()
    except Exception as error:  # of the network, the disk, the archive: it raises what comes
        said = " ".join(str(error).split()) or type(error).__name__
        raise XaibenchError(
            f"{address}: the download failed ({said}); try again later, or get it by hand so that "
            f"{example} exists."
        ) from error
