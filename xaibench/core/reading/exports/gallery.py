"""Finding the images that an export names, wherever they lie below a folder."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import composed
from xaibench.core.reading.folders.listing import list_names
from xaibench.core.reading.folders.names import names_annotations, part_of
from xaibench.core.reading.images import is_image


class ImageNames:
    """The images below a folder, by their names.

    ``passed`` are those in folders named after annotations, where there are others.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        images = tuple(file for file in list_names(place).files if is_image(file))
        others = tuple(file for file in images if not any(map(names_annotations, _folders(file))))
        self.files = others or images
        self.passed = tuple(set(images) - set(self.files))
        self._named: dict[str, list[str]] = {}
        for file in self.files:
            self._named.setdefault(_bare(file), []).append(file)

    def find(self, name: str, near: str = "", part: str = "") -> str | None:
        """Return the path, below the folder, of an image; None where there is none.

        Args:
            name: as an export writes it: a name, the end of a path, or an address.
            near: a folder below this one where the export lies; images there come first.
            part: of a split that the export describes; images in folders called so come first.

        Raises:
            XaibenchError: several would do.
        """
        written = composed(PurePosixPath(name.replace("\\", "/")).as_posix()).lstrip("/")
        found = self._named.get(_bare(written), [])
        for end in (f"{near}/{written}" if near else written, written):
            if mine := [file for file in found if f"/{composed(file)}".endswith(f"/{end}")]:
                found = mine
                break
        beside = [file for file in found if near and file.startswith(f"{near}/")]
        found = beside or found
        found = [f for f in found if part and part in map(part_of, _folders(f))] or found
        if len(found) > 1:
            raise XaibenchError(
                f"{self.place}: '{name}' could be {found[0]} or {found[1]}; keep one of them."
            )
        return found[0] if found else None


def tell_missing(source: Path, missing: Iterable[str], found: int) -> tuple[str, ...]:
    """Return a sentence on images that an export names and that aren't there.

    Raises:
        XaibenchError: none is there.
    """
    names = list(missing)
    if names and not found:
        raise XaibenchError(
            f"{source}: none of its images is there, such as {names[0]}; put them beside it."
        )
    if not names:
        return ()
    return (
        f"{len(names)} images that {source.name} names aren't there, such as {names[0]}; they "
        "are left out.",
    )


def _folders(file: str) -> list[str]:
    return file.split("/")[:-1]


def _bare(path: str) -> str:
    return composed(path.rpartition("/")[2])
