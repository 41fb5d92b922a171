"""A file of maps that someone else made: opened without trusting it, read map by map."""

import json
import math
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from xaibench.core.errors import XaibenchError
from xaibench.core.files import is_file

ABOUT, IDS, MAPS = "about", "ids", "maps"
_UNNAMED = "arr_0"  # as numpy.savez calls it
Shape = tuple[int, ...]
# No saliency map is larger; a few bytes of a damaged or hostile file can claim to be.
_MOST_PIXELS, _MOST_BYTES, _LONGEST_TEXT = 1 << 26, 1 << 32, 1 << 16
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class MapsFile:
    """An npz file of maps.

    Either one array ``(h, w)`` for each key, or ``ids`` ``(N,)`` and ``maps`` ``(N, h, w)``; beside
    them ``about``, a JSON object as text.

    Attributes:
        shapes: of each map by key.
        about: what the file says of itself.
    """

    def __init__(self, path: Path) -> None:
        """Look at all headers; no map is read yet.

        Raises:
            XaibenchError: no npz file, or something in it that is no map.
        """
        self.path = path
        self._zip = self._open()
        self._headers = {key: self._header(key) for key in self._keys()}
        if _UNNAMED in self._headers:
            raise XaibenchError(
                f"{path}: '{_UNNAMED}' has no name of yours; name the arrays '{IDS}' and '{MAPS}', "
                "or one array for each sample."
            )
        self.about: Mapping[str, Any] = {}
        if ABOUT in self._headers:
            self.about = self._read_about()
        self._stack: NDArray[Any] | None = None
        self._rows: dict[str, int] = {}
        if {IDS, MAPS} <= set(self._headers):
            self.shapes = self._read_stack()
        else:
            self.shapes = {key: self._check_map(key) for key in self._headers if key != ABOUT}
        if not self.shapes:
            raise XaibenchError(f"{path}: it holds no map; store one for each test image.")

    def read(self, key: str) -> NDArray[np.float32]:
        """Return one map ``(h, w)`` as it is.

        Raises:
            XaibenchError: its bytes are damaged.
        """
        raw = self._array(key) if self._stack is None else self._stack[self._rows[key]]
        with np.errstate(over="ignore"):  # too large for float32 is infinite, and told as such
            found: NDArray[np.float32] = raw.astype(np.float32)
        return found

    def close(self) -> None:
        """Release the file."""
        self._zip.close()

    def _open(self) -> zipfile.ZipFile:
        if not is_file(self.path):
            raise XaibenchError(f"{self.path}: no such file; give the path of an npz file of maps.")
        try:
            return zipfile.ZipFile(self.path)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise XaibenchError(
                f"{self.path}: not an npz file ({error}); write it with numpy.savez_compressed."
            ) from error

    def _keys(self) -> list[str]:
        names = self._zip.namelist()
        for name, count in Counter(names).items():
            if not name.endswith(".npy"):
                raise XaibenchError(f"{self.path}: '{name}' is no array; keep only maps in it.")
            if count > 1:
                raise XaibenchError(
                    f"{self.path}: '{name.removesuffix('.npy')}' is in it {count} times; keep "
                    "one map."
                )
        return [name.removesuffix(".npy") for name in names]

    def _header(self, key: str) -> tuple[Shape, np.dtype[Any]]:
        with self._reading(key) as file:
            read = _HEADERS.get(np.lib.format.read_magic(file))
            if read is None:
                raise ValueError("an unknown version of npy")
            shape, _, dtype = read(file)
        if dtype.hasobject:
            raise XaibenchError(
                f"{self.path}: '{key}' is an array of pickled objects, which is never opened; save "
                "arrays of numbers."
            )
        size = math.prod(shape) * dtype.itemsize
        if size > _MOST_BYTES:
            raise XaibenchError(
                f"{self.path}: '{key}' {shape} would take {size / 1e9:.0f} GB; store one array for "
                "each sample."
            )
        return shape, dtype

    def _check_map(self, key: str, dimensions: int = 2) -> Shape:
        shape, dtype = self._headers[key]
        if dtype.kind != "f":
            raise XaibenchError(
                f"{self.path}: '{key}' holds {dtype}, not floating numbers; save "
                "maps.astype('float32')."
            )
        if len(shape) != dimensions or 0 in shape:
            raise XaibenchError(
                f"{self.path}: '{key}' is {shape}; a map is (h, w), or '{MAPS}' (N, h, w) are "
                f"beside '{IDS}' (N,)."
            )
        if math.prod(shape[-2:]) > _MOST_PIXELS:
            raise XaibenchError(f"{self.path}: '{key}' is {shape}, larger than any map should be.")
        return shape

    def _read_stack(self) -> dict[str, Shape]:
        (count, *size), ids = self._check_map(MAPS, len("Nhw")), self._array(IDS)
        if others := sorted(set(self._headers) - {ABOUT, IDS, MAPS}):
            raise XaibenchError(
                f"{self.path}: '{others[0]}' is beside '{IDS}' and '{MAPS}'; use one form."
            )
        if ids.dtype.kind != "U" or ids.shape != (count,):
            raise XaibenchError(
                f"{self.path}: '{IDS}' is {ids.dtype} {ids.shape}; it must name the sample of each "
                f"of the {count} maps, as text ({count},)."
            )
        for sample, found in Counter(ids.tolist()).items():
            if found > 1:
                raise XaibenchError(f"{self.path}: '{IDS}' names '{sample}' {found} times.")
        self._stack = self._array(MAPS)
        self._rows = {str(sample): row for row, sample in enumerate(ids)}
        return dict.fromkeys(self._rows, tuple(size))

    def _read_about(self) -> Mapping[str, Any]:
        shape, dtype = self._headers.pop(ABOUT)
        if shape or dtype.kind != "U" or dtype.itemsize > _LONGEST_TEXT:
            raise XaibenchError(
                f"{self.path}: '{ABOUT}' is {dtype} {shape}; it must be JSON as text: "
                "numpy.array(json.dumps({...}))."
            )
        try:
            about = json.loads(str(self._array(ABOUT)))
        except ValueError as error:
            raise XaibenchError(f"{self.path}: '{ABOUT}' is no JSON ({error}).") from error
        if not isinstance(about, dict):
            raise XaibenchError(f"{self.path}: '{ABOUT}' must be a JSON object.")
        return about

    def _array(self, key: str) -> NDArray[Any]:
        with self._reading(key) as file:
            found: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
            if file.read(1):
                raise ValueError("it is longer than it says")
        return found

    @contextmanager
    def _reading(self, key: str) -> Iterator[IO[bytes]]:
        try:
            with self._zip.open(f"{key}.npy") as file:
                yield file
        except XaibenchError:
            raise
        except Exception as error:  # what numpy makes of damaged headers is of many kinds
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise XaibenchError(
                f"{self.path}: '{key}' can't be read ({said}); store it again."
            ) from error
