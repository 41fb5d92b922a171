"""Raw maps on disk: one array for each sample in npz files, written and read one by one."""

import io
import zipfile
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from xaibench.results.folder import ANY_MAPS


class MapWriter:
    """Appends arrays to an npz file as they come, so that memory stays flat.

    Raw maps are kept as the method returned them, float32 at their own resolution: a CAM of 7x7
    takes 200 bytes instead of 100 kB at the image's size, nothing is lost to rounding, and a later
    change of the protocol needs no new pass.
    """

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)

    def add(self, key: str, raw: NDArray[np.float32]) -> None:
        """Append one map."""
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, raw.astype(np.float32), allow_pickle=False)
        # A fixed date: the same maps give the same bytes.
        self._zip.writestr(
            zipfile.ZipInfo(f"{key}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=1
        )

    def close(self) -> None:
        """Finish the file."""
        self._zip.close()


class MapReader:
    """Reads single maps of npz files that hold one method's maps in parts.

    Only the file that was read last stays open, as parts may be many.
    """

    def __init__(self, *paths: Path) -> None:
        self._open: tuple[Path, NpzFile] | None = None
        try:
            self._paths = {key: path for path in paths for key in self._file(path).files}
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "MapReader":
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def __contains__(self, key: str) -> bool:
        return key in self._paths

    def __getitem__(self, key: str) -> NDArray[np.float32]:
        """Return one raw map ``(h, w)``."""
        array: NDArray[np.float32] = self._file(self._paths[key])[key]
        return array

    def close(self) -> None:
        """Release the file."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _file(self, path: Path) -> NpzFile:
        if self._open is not None and self._open[0] == path:
            return self._open[1]
        self.close()
        self._open = (path, np.load(path, allow_pickle=False))
        return self._open[1]


def map_files(folder: Path) -> list[Path]:
    """Return the files that hold a cell's maps: ``maps.npz``, or one for each part."""
    return sorted(folder.glob(ANY_MAPS))


def map_key(target: str, sample: str) -> str:
    """Return a map's key: ``label/<sample>``, or ``predicted/<sample>`` where that differs."""
    return f"{target}/{sample}"
