"""Unpacking archives that nobody vouches for: nothing leads outside, nothing swallows the disk."""

import errno
import gzip
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Generic, NamedTuple, TypeVar

from xaibench.core.errors import XaibenchError

MAX_BYTES = 5 * 1024**3
MAX_RATIO = 100
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_ENCRYPTED = 1
# What no disk is to blame for: names that no folder takes, and bz2's errors, which have no number.
_OF_ARCHIVES = frozenset(
    {
        None,
        errno.EEXIST,
        errno.EILSEQ,
        errno.EINVAL,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.ENOTDIR,
    }
)
_Handle = TypeVar("_Handle")


class _Member(NamedTuple, Generic[_Handle]):
    """A member of either kind of archive; ``plain`` is a file or folder, no link or device."""

    handle: _Handle
    name: str
    size: int
    plain: bool


def unpack(archive: Path, root: Path, folder: str, *, flat: bool = False) -> Path:
    """Unpack ``folder`` of a zip or tar archive to ``root / folder``, wholly or not at all.

    Other members are left out; of a ``flat`` archive, which lacks the folder, all are taken. A
    folder of that name that is there already is kept under another.

    Raises:
        XaibenchError: the archive is damaged, lacks the folder, holds links or paths that lead
            outside, or would grow beyond all measure.
    """
    scratch = root / f".{folder}.unpacking"
    shutil.rmtree(scratch, ignore_errors=True)
    inside = "" if flat else folder
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, scratch, inside)
        else:
            _unpack_tar(archive, scratch, inside)
        _set_aside(root / folder)
        (scratch / inside).replace(root / folder)
    except XaibenchError:
        raise
    except Exception as error:  # what libraries make of damaged archives is of many kinds
        if isinstance(error, OSError) and error.errno not in _OF_ARCHIVES:
            raise
        said = _said(error)
        raise XaibenchError(
            f"{archive}: not an intact zip or tar archive ({said}); remove it and fetch it again."
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return root / folder


def _said(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or error)
    return text.splitlines()[0].rstrip(":") if text else type(error).__name__


def _unpack_zip(archive: Path, scratch: Path, folder: str) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = (
            _Member(each, each.filename, each.file_size, not stat.S_ISLNK(each.external_attr >> 16))
            for each in opened.infolist()
        )
        if any(each.flag_bits & _ENCRYPTED for each in opened.infolist()):
            raise XaibenchError(f"{archive}: protected by a password; get a copy that is open.")
        # What a header understates is never written: zipfile stops reading at the stated size.
        wanted: list[zipfile.ZipInfo] = _select(archive, folder, members)
        opened.extractall(scratch, wanted)


def _unpack_tar(archive: Path, scratch: Path, folder: str) -> None:
    with archive.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
    with (
        gzip.open(archive) if packed else archive.open("rb") as stream,
        tarfile.open(fileobj=stream, mode="r:") as opened,
    ):
        # Where the holes of a sparse file lie is not what its size says.
        members = (
            _Member(each, each.name, each.size, _is_plain(each) and not each.issparse())
            for each in opened
        )
        wanted: list[tarfile.TarInfo] = _select(archive, folder, members)
        # Gzip's checksum is at the very end, behind what tarfile looks at by itself.
        for _ in range(MAX_BYTES // _CHUNK):
            if not stream.read(_CHUNK):
                break
        if hasattr(tarfile, "data_filter"):
            opened.extractall(scratch, wanted, filter="data")
        else:  # before Python 3.11.4, as in Debian 12: members are plain, and their names checked
            for member in wanted:  # without special rights, and of nobody else
                member.mode = 0o755 if member.isdir() else 0o644
                member.uname = member.gname = ""
                if os.name == "posix":
                    member.uid, member.gid = os.getuid(), os.getgid()
            opened.extractall(scratch, wanted)


def _is_plain(member: tarfile.TarInfo) -> bool:
    return member.isfile() or member.isdir()


def _select(archive: Path, folder: str, members: Iterable[_Member[_Handle]]) -> list[_Handle]:
    """Return the members of a folder, all for an empty one; look at each before any is written."""
    most = min(MAX_BYTES, MAX_RATIO * max(archive.stat().st_size, 1))
    total, wanted = 0, []
    for handle, name, size, plain in members:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        outside = ".." in parts or name.startswith(("/", "\\")) or PureWindowsPath(name).drive
        if outside or not plain:
            raise XaibenchError(
                f"{archive}: refused, its member '{name}' is a link or leads outside; "
                "remove it and get another copy."
            )
        total += size
        if total > most:
            raise XaibenchError(
                f"{archive}: refused, unpacked it would take {total:,} bytes or more; "
                "remove it and get another copy."
            )
        if not folder or (parts[:1] == (folder,) and len(parts) > 1):
            wanted.append(handle)
    if not wanted:
        raise XaibenchError(
            f"{archive}: it holds no {f'folder {folder}' if folder else 'files'}; get another copy."
        )
    return wanted


def _set_aside(folder: Path) -> None:
    """Rename what is in the way; it may be the user's only copy."""
    aside, number = folder.with_name(f"{folder.name}.old"), 1
    while os.path.lexists(aside):
        number += 1
        aside = folder.with_name(f"{folder.name}.old{number}")
    if os.path.lexists(folder):
        folder.rename(aside)
