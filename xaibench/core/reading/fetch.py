"""Downloading archives, so that a broken connection or a kill costs nothing but time."""

import logging
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from xaibench.core.errors import XaibenchError
from xaibench.core.progress import progress_bar
from xaibench.core.reading.archives import Archive, check_archive
from xaibench.core.reading.unpack import unpack

_CHUNK, _MEGABYTE = 64 * 1024, 1e6
_CONNECT_SECONDS, _READ_SECONDS = 15, 60
_PARTIAL, _RANGE_REFUSED = 206, 416
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_log = logging.getLogger(__name__)


def fetch_archive(
    archive: Archive, root: Path, folder: str, example: str, *, name: str = "", flat: bool = False
) -> Path:
    """Download a zip or tar archive and unpack its ``folder`` below ``root``.

    An interrupted download is continued by the next call. An archive that lies in ``root`` already
    is unpacked without a download, and kept.

    Args:
        archive: where it is, and what is known of it.
        root: where the archive and the folder go.
        folder: the folder inside the archive that is wanted.
        example: a file that the folder holds, to show the layout.
        name: of the archive's file; by default the last part of its address.
        flat: the archive holds the files of ``folder`` without the folder itself.

    Raises:
        XaibenchError: no connection, another or an unsafe archive, or no space.
    """
    file = root / (name or archive.url.rpartition("/")[2])
    by_hand = file.is_file()
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not by_hand:
            _download(archive, file)
        check_archive(archive, file, downloaded=not by_hand)
        unpacked = unpack(file, root, folder, flat=flat)
    except requests.RequestException as error:
        raise XaibenchError(
            f"{archive.url}: {_reason(error)}; try again later (what has arrived is kept), put the "
            f"archive at {file} by hand, or unpack it so that {root / folder / example} exists."
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


def _download(archive: Archive, file: Path) -> None:
    """Download from the archive's address, or else from its mirrors in turn.

    What one address has given is continued by the next: their bytes are the same.
    """
    part = _Part(file.with_name(f"{file.name}.part"), archive.size)
    *others, last = (archive.url, *archive.mirrors)
    for url in others:
        try:
            part.complete(url)
            break
        except requests.RequestException as error:
            _log.warning("%s: %s; trying a mirror", url, _reason(error))
    else:
        part.complete(last)
    part.path.replace(file)


class _Part:
    """What has arrived of a file, which goes on from there.

    Args:
        path: where it lies.
        size: of the whole in bytes, where it is known; else 0.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path, self._size = path, size

    def complete(self, url: str) -> None:
        """Get the rest, for as long as bytes arrive."""
        while True:
            before = self._arrived()
            try:
                self._receive(url)
            except requests.RequestException:
                # Cut again without a byte more: that is no passing trouble.
                if self._arrived() <= before:
                    raise
            else:
                return

    def _arrived(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _receive(self, url: str) -> None:
        arrived = self._arrived()
        # Compressed on the way, the bytes that arrive would not be those of the file.
        headers = {"Accept-Encoding": "identity"}
        if arrived:
            headers["Range"] = f"bytes={arrived}-"
        timeout = (_CONNECT_SECONDS, _READ_SECONDS)
        _check_address(url)
        with requests.get(
            url, headers=headers, stream=True, timeout=timeout, hooks={"response": _check_redirect}
        ) as response:
            given = response.headers.get("Content-Range", "")
            if response.status_code == _RANGE_REFUSED and given == f"bytes */{arrived}":
                return  # Nothing is missing: the last run ended just before it was renamed.
            continued = response.status_code == _PARTIAL and given.startswith(f"bytes {arrived}-")
            if not continued and response.status_code in (_PARTIAL, _RANGE_REFUSED) and arrived:
                self.path.unlink()  # The file there has changed, so what we have is of no use.
                self._receive(url)
                return
            response.raise_for_status()
            start = arrived if continued else 0
            self._write(response, start)

    def _write(self, response: requests.Response, start: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        if self._size and total not in (None, self._size):
            raise XaibenchError(
                f"{response.url}: offers {total:,} bytes and not the {self._size:,} that are known "
                "of this archive; try again later, or get it by hand."
            )
        name, megabytes = self.path.stem, (total or 0) / _MEGABYTE
        with (
            self.path.open("ab" if start else "wb") as file,
            progress_bar("download", f"{name} (MB)", megabytes, start / _MEGABYTE) as bar,
        ):
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                bar.advance(len(chunk) / _MEGABYTE)
        if total is not None and self._arrived() < total:
            raise requests.ConnectionError(f"cut off after {self._arrived()} of {total} bytes")


def _check_redirect(response: requests.Response, **_options: object) -> None:
    if response.is_redirect:
        _check_address(urljoin(response.url, response.headers["Location"]))


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _THIS_MACHINE:
        raise XaibenchError(f"{url}: not an https address, which anybody on the way can change.")


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answers with status {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    return "the connection failed or broke off"
