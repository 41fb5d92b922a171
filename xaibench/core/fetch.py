"""Downloading archives, so that a broken connection or a kill costs nothing but time."""

import os
import shutil
import stat
import sys
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

import pooch
import requests
from rich.console import Console
from rich.progress import Progress

from xaibench.core.errors import XaibenchError

MAX_BYTES = 5 * 1024**3
MAX_RATIO = 100
_CHUNK = 64 * 1024
_CONNECT_SECONDS, _READ_SECONDS = 15, 60
_PARTIAL, _RANGE_REFUSED = 206, 416


def fetch_zip(url: str, root: Path, folder: str, example: str) -> Path:
    """Download a zip archive and unpack its ``folder`` below ``root``.

    An interrupted download is continued by the next call. An archive that lies in ``root`` already
    is unpacked without a download, and kept.

    Args:
        url: address of the archive.
        root: where the archive and the folder go.
        folder: the folder inside the archive that is wanted.
        example: a file that the folder holds, to show the layout.

    Raises:
        XaibenchError: no connection, an unsafe archive, or no space.
    """
    archive = root / url.rpartition("/")[2]
    by_hand = archive.is_file()
    try:
        root.mkdir(parents=True, exist_ok=True)
        _download(url, archive)
        unpacked = extract_zip(archive, root, folder)
    except requests.RequestException as error:
        raise XaibenchError(
            f"{url}: {_reason(error)}; try again later (what has arrived is kept), put the archive "
            f"at {archive} by hand, or unpack it so that {root / folder / example} exists."
        ) from error
    except XaibenchError:
        # A bad archive would be found again by the next call, which should download instead.
        if not by_hand:
            archive.unlink(missing_ok=True)
        raise
    except OSError as error:
        raise XaibenchError(
            f"{root}: cannot write there ({error.strerror or error}); make room, "
            "or choose another folder with --data-root DIR."
        ) from error
    if not by_hand:
        archive.unlink(missing_ok=True)
    return unpacked


def extract_zip(archive: Path, root: Path, folder: str) -> Path:
    """Unpack ``folder`` of a zip archive to ``root / folder``, wholly or not at all.

    Other members are left out. A folder of that name that is there already is kept under another.

    Raises:
        XaibenchError: the archive is damaged, lacks the folder, holds links or paths that lead
            outside, or would grow beyond all measure.
    """
    scratch = root / f".{folder}.unpacking"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check(archive, members)
            wanted = [member for member in members if member.filename.startswith(f"{folder}/")]
            if not wanted:
                raise XaibenchError(f"{archive}: it holds no folder {folder}; get another copy.")
            opened.extractall(scratch, wanted)
        _set_aside(root / folder)
        (scratch / folder).replace(root / folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise XaibenchError(
            f"{archive}: not an intact zip archive ({error}); remove it and fetch it again."
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return root / folder


def _check(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        name = member.filename
        parts = PurePosixPath(name.replace("\\", "/")).parts
        outside = ".." in parts or name.startswith(("/", "\\")) or PureWindowsPath(name).drive
        if outside or stat.S_ISLNK(member.external_attr >> 16):
            raise XaibenchError(
                f"{archive}: refused, its member '{name}' is a link or leads outside; "
                "remove it and get another copy."
            )
    # What a header understates is never written: zipfile stops reading at the stated size.
    total = sum(member.file_size for member in members)
    if total > MAX_BYTES or total > MAX_RATIO * max(archive.stat().st_size, 1):
        raise XaibenchError(
            f"{archive}: refused, unpacked it would take {total:,} bytes; "
            "remove it and get another copy."
        )


def _set_aside(folder: Path) -> None:
    """Rename what is in the way; it may be the user's only copy."""
    aside, number = folder.with_name(f"{folder.name}.old"), 1
    while os.path.lexists(aside):
        number += 1
        aside = folder.with_name(f"{folder.name}.old{number}")
    if os.path.lexists(folder):
        folder.rename(aside)


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
        console = Console(stderr=True)
        with (
            self._part.open("ab" if start else "wb") as file,
            Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar,
        ):
            task = bar.add_task("Downloading", total=total, completed=start)
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                bar.advance(task, len(chunk))
        if total is not None and self._arrived() < total:
            raise requests.ConnectionError(f"cut off after {self._arrived()} of {total} bytes")


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answers with status {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    return "the connection failed or broke off"
