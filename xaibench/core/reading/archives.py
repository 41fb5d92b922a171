"""Archives to be downloaded, and what is known of them: what was published, or came at first."""

import json
import logging
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from xaibench.core.errors import StorageError, XaibenchError
from xaibench.core.fingerprints import checksum
from xaibench.core.known_code import cache_folder
from xaibench.core.store import write_json

_TABLE = Path(__file__).with_name("downloads.toml")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """An archive at an address.

    Attributes:
        url: address, which needs https unless it is of this machine.
        size: in bytes, where somebody has published it; else 0.
        sha256: the same; else empty.
        source: who has published them.
        mirrors: further addresses of the same bytes; only the checksum makes them safe.
    """

    url: str
    size: int = 0
    sha256: str = ""
    source: str = ""
    mirrors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.mirrors and not self.sha256:
            raise ValueError(f"{self.url}: mirrors without a checksum")


def known_archive(name: str) -> Archive:
    """Return the archive of this name in ``downloads.toml``."""
    return known_archives()[name]


@cache
def known_archives() -> dict[str, Archive]:
    """Return all archives of ``downloads.toml`` by their names."""
    table = tomllib.loads(_TABLE.read_text("utf-8"))
    return {
        name: Archive(**{**entry, "mirrors": tuple(entry.get("mirrors", ()))})
        for name, entry in table.items()
    }


def check_archive(archive: Archive, file: Path, *, downloaded: bool) -> None:
    """Compare a file with what is known of its archive.

    Without a published checksum, a download is compared with the first one from that address, which
    is remembered in the user's cache.

    Args:
        archive: what it should be.
        file: what is there.
        downloaded: whether it came from the archive's address, and not by hand.

    Raises:
        XaibenchError: it is another file.
    """
    size = file.stat().st_size
    if archive.size and size != archive.size:
        raise XaibenchError(
            f"{file}: not the archive that {archive.url} is known to give ({size:,} bytes and not "
            f"{archive.size:,}); try again, or unpack it by hand if you trust it."
        )
    if archive.sha256:
        if checksum(file) != archive.sha256:
            raise XaibenchError(
                f"{file}: not the archive that {archive.url} is known to give (its SHA-256 is "
                "another); try again, or unpack it by hand if you trust it."
            )
    elif downloaded:
        _compare_with_first(archive.url, {"size": size, "sha256": checksum(file)})


def _compare_with_first(url: str, found: dict[str, Any]) -> None:
    try:
        place = cache_folder() / "downloads.json"
    except RuntimeError:  # no home
        _log.warning("%s: nobody has published a checksum of it; unverified", url)
        return
    seen = _read(place)
    first = seen.get(url)
    if not isinstance(first, dict):
        _log.warning(
            "%s: unverified, as nobody has published a checksum of it; SHA-256 %s is remembered in "
            "%s, and later downloads are compared with it", url, found["sha256"], place
        )  # fmt: skip
        today = datetime.now(UTC).date().isoformat()
        try:
            write_json(place, {**seen, url: {**found, "date": today}})
        except StorageError as error:
            _log.warning("%s", error)
    elif {key: first.get(key) for key in found} != found:
        raise XaibenchError(
            f"{url}: another file than at the first download ({first.get('date', 'undated')}), "
            "and nobody has published a checksum of it; if its authors have renewed it, remove its "
            f"entry in {place} and try again."
        )
    else:
        _log.info("note: %s: unverified, but the same file as on %s", url, first.get("date", "?"))


def _read(place: Path) -> dict[str, Any]:
    try:
        seen = json.loads(place.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise XaibenchError(
            f"{place}: not readable ({type(error).__name__}), so that downloads can't be compared "
            "with earlier ones; fix or remove it."
        ) from error
    return seen if isinstance(seen, dict) else {}
