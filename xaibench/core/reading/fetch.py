"""Downloading archives, so that a broken connection or a kill costs nothing but time."""

from pathlib import Path

import pooch
import requests

from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import checksum
from xaibench.core.progress import progress_bar
from xaibench.core.reading.unpack import unpack

_CHUNK, _MEGABYTE = 64 * 1024, 1e6
_CONNECT_SECONDS, _READ_SECONDS = 15, 60
_PARTIAL, _RANGE_REFUSED = 206, 416


def fetch_archive(
    url: str,
    root: Path,
    folder: str,
    example: str,
    *,
    archive: str = "",
    flat: bool = False,
    sha256: str = "",
) -> Path:
    """Download a zip or tar archive and unpack its ``folder`` below ``root``.

    An interrupted download is continued by the next call. An archive that lies in ``root`` already
    is unpacked without a download, and kept.

    Args:
        url: address of the archive.
        root: where the archive and the folder go.
        folder: the folder inside the archive that is wanted.
        example: a file that the folder holds, to show the layout.
        archive: name of the archive's file; by default the last part of its address.
        flat: the archive holds the files of ``folder`` without the folder itself.
        sha256: of the archive, where its publishers or others have told it.

    Raises:
        XaibenchError: no connection, an unsafe archive, or no space.
    """
    file = root / (archive or url.rpartition("/")[2])
    by_hand = file.is_file()
    try:
        root.mkdir(parents=True, exist_ok=True)
        _download(url, file)
        _check(file, url, sha256)
        unpacked = unpack(file, root, folder, flat=flat)
    except requests.RequestException as error:
        raise XaibenchError(
            f"{url}: {_reason(error)}; try again later (what has arrived is kept), put the archive "
            f"at {file} by hand, or unpack it so that {root / folder / example} exists."
        ) from error
    except XaibenchError:
        # A bad archive would be found again by the next call, which should download instead.
        if not by_hand:
            file.unlink(missing_ok=True)
        raise
    except OSError as error:
        raise XaibenchError(
            f"{root}: cannot write there ({error.strerror or error}); make room, "
            "or choose another folder with --data-root DIR."
        ) from error
    if not by_hand:
        file.unlink(missing_ok=True)
    return unpacked


def _check(file: Path, url: str, sha256: str) -> None:
    if sha256 and checksum(file) != sha256:
        raise XaibenchError(
            f"{file}: not the archive that {url} is known to give (its SHA-256 is another); "
            "remove it and try again."
        )


def _download(url: str, archive: Path) -> None:
    # Pooch reports the hash as advice to programmers, which would puzzle users.
    pooch.get_logger().setLevel("WARNING")
    resume = _Resume(archive.with_name(f"{archive.name}.part"))
    pooch.retrieve(url, known_hash=None, fname=archive.name, path=archive.parent, downloader=resume)


class _Resume:
    """A downloader for pooch that keeps what has arrived and asks for the rest."""

    def __init__(self, part: Path) -> None:
        self._part = part

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        while True:
            before = self._arrived()
            try:
                self._receive(url)
                break
            except requests.RequestException:
                # Cut again without a byte more: that is no passing trouble.
                if self._arrived() <= before:
                    raise
        self._part.replace(output_file)

    def _arrived(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _receive(self, url: str) -> None:
        arrived = self._arrived()
        # Compressed on the way, the bytes that arrive would not be those of the file.
        headers = {"Accept-Encoding": "identity"}
        if arrived:
            headers["Range"] = f"bytes={arrived}-"
        timeout = (_CONNECT_SECONDS, _READ_SECONDS)
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            given = response.headers.get("Content-Range", "")
            if response.status_code == _RANGE_REFUSED and given == f"bytes */{arrived}":
                return  # Nothing is missing: the last run ended just before it was renamed.
            continued = response.status_code == _PARTIAL and given.startswith(f"bytes {arrived}-")
            if not continued and response.status_code in (_PARTIAL, _RANGE_REFUSED) and arrived:
                self._part.unlink()  # The file there has changed, so what we have is of no use.
                self._receive(url)
                return
            response.raise_for_status()
            start = arrived if continued else 0
            self._write(response, start)

    def _write(self, response: requests.Response, start: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        name, megabytes = self._part.stem, (total or 0) / _MEGABYTE
        with (
            self._part.open("ab" if start else "wb") as file,
            progress_bar("download", f"{name} (MB)", megabytes, start / _MEGABYTE) as bar,
        ):
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                bar.advance(len(chunk) / _MEGABYTE)
        if total is not None and self._arrived() < total:
            raise requests.ConnectionError(f"cut off after {self._arrived()} of {total} bytes")


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answers with status {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    return "the connection failed or broke off"
