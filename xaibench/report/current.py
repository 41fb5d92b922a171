"""Whether a folder's report still is what would be written, so that nothing need be drawn again."""

from collections.abc import Iterable
from pathlib import Path

from xaibench.core.fingerprints import checksum, fingerprint
from xaibench.core.imports import PACKAGE
from xaibench.core.store import files_below
from xaibench.core.versions import versions_of
from xaibench.results.folder import (
    DIAGNOSTICS_FILE,
    DIAGNOSTICS_PAGE_FILE,
    REPORT_FILE,
    REPORTED,
    ROWS_FILES,
    RUN_FILE,
)
from xaibench.results.integrity import intact_record, write_record
from xaibench.results.records import SCHEMA
from xaibench.results.study_records import ReportRecord
from xaibench.results.tables import stored_table

LIBRARIES = (
    "jinja2",
    "markdown-it-py",
    "markupsafe",
    "matplotlib",
    "numpy",
    "pandas",
    "pillow",
    "rich",
    "scikit-image",
    "scipy",
    "seaborn",
    "torch",
)
"""Those that compute, write and draw reports."""


def sources_of(out: Path) -> str:
    """Return a fingerprint of all that a folder's report is made from.

    These are the run's record and tables, the records of all models, cells and analyses, which
    name the checksums of maps and the content of images; and the code and libraries that write.
    """
    tables = [stored_table(out / name) for name in ROWS_FILES]
    diagnosed = [out / DIAGNOSTICS_FILE, out / DIAGNOSTICS_PAGE_FILE]
    records = [path for pattern in REPORTED for path in sorted(out.glob(pattern))]
    cells = files_below(out / "cells", "*.json")
    files = [out / RUN_FILE, *tables, *diagnosed, *records, *cells]
    read = {path.relative_to(out).as_posix(): checksum(path) for path in files}
    return fingerprint(read, _writer())


def keep(out: Path, sources: str, written: Iterable[Path], said: str) -> None:
    """Write down what a report was made from, once all of its files are there.

    Args:
        out: the folder.
        sources: from `sources_of`, asked for before the report was made.
        written: its files.
        said: what it tells a terminal.

    Raises:
        StorageError: the disk is full, or the folder can't be written.
    """
    sums = {path.relative_to(out).as_posix(): checksum(path) for path in sorted(set(written))}
    write_record(out / REPORT_FILE, ReportRecord(sources, sums, said, SCHEMA))


def is_current(out: Path) -> bool:
    """Whether a folder's report is whole, and would come out the same again."""
    known = intact_record(out / REPORT_FILE, ReportRecord)
    return (
        known is not None
        and all(checksum(out / name) == sha256 for name, sha256 in known.files.items())
        and known.made_from == sources_of(out)
    )


def said_before(out: Path) -> str:
    """Return what a folder's report told a terminal when it was written."""
    known = intact_record(out / REPORT_FILE, ReportRecord)
    return known.said if known else ""


def _writer() -> str:
    """Return a fingerprint of the package, templates included, and of the libraries it uses."""
    code = [checksum(path) for path in files_below(PACKAGE) if path.suffix != ".pyc"]
    return fingerprint(code, versions_of(LIBRARIES))
