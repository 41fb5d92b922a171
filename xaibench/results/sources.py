"""Where maps and tables of other makers came from, as ``run.json`` tells it."""

from collections.abc import Sequence
from dataclasses import dataclass

from xaibench.results.checked import Share


@dataclass(frozen=True, kw_only=True)
class SubmissionEntry:
    """Where submitted maps came from, and what was odd about them."""

    file: str = ""
    sha256: str = ""
    method: str = ""
    target: str = ""
    mask_fraction: Share | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Source:
    """One of the runs that were merged."""

    name: str
    command: str = ""
    date: str = ""
    xaibench: str = ""
    protocol_hash: str = ""
    dataset: str = ""
    seeds: Sequence[int] = ()
    submission: SubmissionEntry | None = None
