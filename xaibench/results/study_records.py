"""Records of studies and reports, and the seal of a run's folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xaibench.results.checked import FileName, FilePath


@dataclass(frozen=True)
class Arm:
    """A model of one of a study's runs: ``level`` is what is studied, ``series`` what stays.

    ``against`` names the arms that it is compared with, by key: the first that has the score
    counts. ``factors`` are the levels of several factors, where these are crossed.
    """

    point: FileName
    model: str
    series: str
    level: str
    against: tuple[str, ...] = ()
    factors: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """A name that no other arm has."""
        return f"{self.point}/{self.model}"


@dataclass(frozen=True)
class About:
    """What a study is about.

    ``seconds`` a unit of annotation takes, where it is about that; ``with_loss``: its table has the
    test loss beside the accuracy.
    """

    name: str
    question: str
    command: str
    ordered: bool
    failures: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] | None = None
    with_loss: bool = False


@dataclass(frozen=True)
class StudyRecord:
    """``study.json``: what a study compares; its runs lie in folders beside it."""

    about: About
    arms: Sequence[Arm]
    schema: int | None = None


@dataclass(frozen=True)
class SealRecord:
    """``tables.json``: checksums of what a report is made from, by path below the folder.

    Folders from before there was a schema number have those of their tables alone.
    """

    files: Mapping[FilePath, str]
    schema: int | None = None


@dataclass(frozen=True)
class ReportRecord:
    """``report.json``: what a report was made from, its files, and what it told a terminal."""

    made_from: str
    files: Mapping[FilePath, str]
    said: str
    schema: int | None = None
