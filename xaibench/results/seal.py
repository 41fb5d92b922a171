"""The seal of a run's folder: what a report is made from, and whether it is still that."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import checksum
from xaibench.results.folder import ROWS_FILES, RUN_FILE, SEAL_FILE
from xaibench.results.integrity import read_record, write_record
from xaibench.results.records import SCHEMA, RunRecord
from xaibench.results.study_records import SealRecord
from xaibench.results.tables import stored_table

_SHOWN = 5


def seal(out: Path, files: Iterable[Path]) -> None:
    """Write down what a report will be made from: ``run.json``, tables, splits and histories.

    Args:
        out: the run's folder.
        files: those beside ``run.json``, below that folder.
    """
    names = [path.relative_to(out).as_posix() for path in [out / RUN_FILE, *files]]
    sums = {name: checksum(out / name) for name in names}
    write_record(out / SEAL_FILE, SealRecord(sums, SCHEMA))


def changed_since(out: Path) -> list[str]:
    """Return the files that differ from what the run left, or are gone; sorted.

    Folders from before there was a schema number have checksums of their tables alone, and may
    have none.

    Raises:
        XaibenchError: the seal itself can't be read, or is gone.
    """
    known = read_record(out / SEAL_FILE, SealRecord)
    if known is None:
        run = read_record(out / RUN_FILE, RunRecord)
        tables = any(stored_table(out / name).is_file() for name in ROWS_FILES)
        return [SEAL_FILE] if tables and run and run.schema else []
    return sorted(name for name, sha256 in known.files.items() if checksum(out / name) != sha256)


def is_whole(out: Path) -> bool:
    """Whether a folder is sealed, and nothing in it was changed since."""
    try:
        return (out / SEAL_FILE).is_file() and not changed_since(out)
    except XaibenchError:  # the seal itself is damaged: a run makes it again
        return False


def check_seal(out: Path, *, accept_changes: bool = False) -> Iterator[str]:
    """Yield a warning for what was changed since the run, where that is accepted.

    Raises:
        XaibenchError: something was changed, and that isn't accepted.
    """
    changed = changed_since(out)
    if not changed:
        return
    more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    told = f"changed or gone since the run: {', '.join(changed[:_SHOWN])}{more}"
    if not accept_changes:
        raise XaibenchError(
            f"{out}: {told}; repeat the run's command, which makes tables again from what is "
            "stored, or report it as it is with --accept-changes, which the page then says."
        )
    yield told
