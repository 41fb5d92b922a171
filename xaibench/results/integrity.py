"""Reading and writing records, and whether files still are what was stored."""

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import checksum, fingerprint
from xaibench.core.store import write_json
from xaibench.results.checked import adapter
from xaibench.results.plain import is_below
from xaibench.results.records import SCHEMA, RunRecord
from xaibench.results.study_records import SealRecord, StudyRecord
from xaibench.results.work_records import UNSAID, ModelRecord

R = TypeVar("R")
_UNSEALED = (RunRecord, StudyRecord)  # the checksum of a run is in its seal
_SEAL = "record_checksum"
_HALVES = re.compile("[\ud800-\udfff]")  # which neither tables nor figures can hold
_DAMAGED = "is damaged (it differs from its checksum)"
_REMEDY = "repeat the run's command: it is made again from what is stored"
_LARGEST = 2**26  # bytes
_log = logging.getLogger(__name__)
_told: set[tuple[object, ...]] = set()


def write_record(path: Path, record: Any) -> None:
    """Write a record with its own checksum, where its kind has one, all or nothing.

    Raises:
        StorageError: the disk is full, or the folder can't be written.
    """
    content = as_json(record)
    seal = {} if isinstance(record, _UNSEALED) else {_SEAL: fingerprint(content)}
    write_json(path, {**content, **seal})


def read_record(path: Path, kind: type[R]) -> R | None:
    """Read a record; None where there is none.

    A file that hasn't changed since is read only once, as every cell asks for its model.

    Raises:
        XaibenchError: it can't be read, isn't what was written, or an entry is malformed.
    """
    try:
        about = path.stat()
    except OSError:
        return None
    state = (about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    wanted: Any = kind  # a class has a hash, which mypy doesn't see
    record: R = _read(path, wanted, *state)
    return record


def intact_record(path: Path, kind: type[R]) -> R | None:
    """Read a record; None where there is none that counts, and a warning says why."""
    try:
        return read_record(path, kind)
    except XaibenchError as error:
        _tell(str(error).removesuffix(f"; {_REMEDY}."), checksum(path))
        return None


def parse_record(content: Any, kind: type[R], path: Path) -> R:
    """Return JSON as a record.

    Args:
        content: as `json.loads` gives it.
        kind: of the record.
        path: of the file, for messages.

    Raises:
        XaibenchError: it is no such record; the message names the entry.
    """
    if not isinstance(content, dict):
        raise XaibenchError(f"{path} holds no JSON object; {_REMEDY}.")
    schema = content.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise XaibenchError(f"{path} was written by a later version of xaibench; install that one.")
    try:
        stored = json.dumps(_migrated(kind, content))
        wanted: Any = kind
        record: R = adapter(wanted).validate_json(stored, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(map(str, first["loc"]))
        raise XaibenchError(f"{path}: entry '{entry}' {_said(first['msg'])}; {_REMEDY}.") from None
    return record


def as_json(record: Any) -> Any:
    """Return a record as JSON holds it; fields that are None are left out."""
    if is_dataclass(record):
        told = ((each.name, getattr(record, each.name)) for each in fields(record))
        return {name: as_json(value) for name, value in told if value is not None}
    if isinstance(record, Mapping):
        return {name: as_json(value) for name, value in record.items()}
    return [as_json(each) for each in record] if isinstance(record, list | tuple) else record


def is_intact(path: Path, sha256: object) -> bool:
    """Whether a file is there and has the checksum that was recorded; if not, a warning names it.

    A file that hasn't changed since it was looked at is read only once, as every part of a large
    cell asks for it.
    """
    try:
        about = path.stat()
    except OSError:
        return _tell(f"{os.fspath(path)} is missing", sha256)
    state = (about.st_ino, about.st_size, about.st_mtime_ns)
    if _checksum(path, *state) == sha256:
        return True
    return _tell(f"{os.fspath(path)} {_DAMAGED}", sha256, *state)


def are_intact(folder: Path, sums: Mapping[str, object]) -> bool:
    """Whether all files of a folder are intact, by their names; each that isn't is named."""
    found = [is_below(name) and is_intact(folder / name, sha256) for name, sha256 in sums.items()]
    return all(found)


@lru_cache(maxsize=4096)
def _read(path: Path, kind: type, _inode: int, size: int, *_state: int) -> Any:
    if size > _LARGEST or not path.is_file():
        raise XaibenchError(f"{path}: {size} bytes are no record of a run; {_REMEDY}.")
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise XaibenchError(f"{path} is damaged ({_first_line(error)}); {_REMEDY}.") from None
    if _HALVES.search(json.dumps(content, ensure_ascii=False)):
        raise XaibenchError(f"{path} is damaged (halves of characters); {_REMEDY}.")
    if isinstance(content, dict):
        early = kind is SealRecord and "schema" not in content
        seal = content.pop(_SEAL, None)
        if seal != fingerprint(content) and not (seal is None and (early or kind in _UNSEALED)):
            raise XaibenchError(f"{path} {_DAMAGED}; {_REMEDY}.")
    return parse_record(content, kind, path)


@cache
def _checksum(path: Path, _inode: int, _size: int, _changed: int) -> str:
    return checksum(path)


def _tell(what: str, *state: object) -> bool:
    if (what, *state) not in _told:
        _told.add((what, *state))
        _log.warning("%s: it doesn't count", what)
    return False


def _migrated(kind: type, content: dict[str, Any]) -> dict[str, Any]:
    """Return what a record of an earlier version would hold today."""
    if kind is SealRecord and "schema" not in content:
        return {"files": content}
    if kind is ModelRecord and content.get("supervision", UNSAID) is None:
        return {**content, "supervision": UNSAID}
    return content


def _said(message: str) -> str:
    if message.startswith("Input should"):
        return message.removeprefix("Input ")
    if message == "Field required":
        return "is missing"
    return f"is wrong ({message.removeprefix('Value error, ')})"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
