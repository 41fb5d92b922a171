"""What a publication holds, as a site shows it: the stored board, document and pictures."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.traits import FAMILIES, shown
from xaibench.report.judging.estimates import BoardRow
from xaibench.report.judging.stored_board import read_board
from xaibench.results.folder import (
    AGREEMENT_FILE,
    ANALYSES_FILE,
    BOARD_FILE,
    BOARD_MARKDOWN_FILE,
    CARD_FILE,
    CLASSIFICATION_FILE,
    COSTS_FILE,
    DECISIONS_FILE,
    PER_CLASS_FILE,
    PREDICTIONS_FILE,
    REPRODUCIBILITY_FILE,
    RUN_FILE,
    SCORECARD_FILE,
    SCORES_FILE,
    STUDY_FIGURE_FILE,
    STUDY_FILE,
    STUDY_PAGE_FILE,
    STUDY_TABLE_FILE,
)
from xaibench.results.records import RunRecord
from xaibench.results.stored_run import read_run

SHEET_FILE = "grid.jpg"
_COMPRESSED = tuple(f"{name}.xz" for name in (SCORES_FILE, PREDICTIONS_FILE))
TABLES = (
    BOARD_FILE, SCORES_FILE, PREDICTIONS_FILE, *_COMPRESSED, COSTS_FILE, CLASSIFICATION_FILE,
    AGREEMENT_FILE, DECISIONS_FILE, ANALYSES_FILE, REPRODUCIBILITY_FILE, STUDY_TABLE_FILE,
    "classification_tests.csv", PER_CLASS_FILE, "variance.csv",
)  # fmt: skip
TEXTS = (
    RUN_FILE, STUDY_FILE, BOARD_MARKDOWN_FILE, SCORECARD_FILE, CARD_FILE, STUDY_PAGE_FILE,
)  # fmt: skip
PICTURES = (SHEET_FILE, STUDY_FIGURE_FILE, "figures/*.png", "analyses/*/*/*/*/*/*.png")
"""All that a site copies of a publication; everything else is left where it is."""

_TITLES = {
    "agreement": "Do the metrics agree?",
    "rates": "Sensitivity and specificity",
    "confusion": "Confusion matrices",
    "training": "Training",
}
_HEADING = re.compile(r"(#{2,3}) (.*)")
ANSWERS = ("Recommendation", "What may be concluded")
_BOARDS = tuple(family.capitalize() for family in FAMILIES)


class Passage(NamedTuple):
    """A part of ``leaderboard.md``: the chapter it belongs to, its title and its Markdown."""

    chapter: str
    title: str
    text: str


class Shown(NamedTuple):
    """A picture of a publication: what it shows, and its address from the publication's page."""

    title: str
    link: str


@dataclass(frozen=True)
class Publication:
    """A published run; ``folder`` is its name on the site."""

    folder: str
    run: RunRecord
    rows: Sequence[BoardRow]
    passages: Sequence[Passage]
    sheet: str
    figures: Sequence[Shown]
    files: Sequence[str]

    @property
    def date(self) -> str:
        """Day of the run."""
        return self.run.date.partition("T")[0]

    @property
    def answers(self) -> Sequence[Passage]:
        """What it recommends and concludes, the recommendation of each chapter first."""
        return sorted(
            (each for each in self.passages if each.title in ANSWERS),
            key=lambda each: ANSWERS.index(each.title),
        )

    @property
    def details(self) -> Sequence[Passage]:
        """All other parts, but for the boards, which are shown as tables."""
        return [each for each in self.passages if each.title not in (*ANSWERS, *_BOARDS)]


def read_publication(folder: Path) -> Publication:
    """Read what `publish` left, and judge nothing anew.

    Args:
        folder: of a published run.

    Raises:
        XaibenchError: ``run.json`` or ``leaderboard.csv`` can't be read.
    """
    run = read_run(folder)
    document = folder / BOARD_MARKDOWN_FILE
    return Publication(
        folder.name,
        run,
        read_board(folder, run),
        list(passages(read_document(document) if document.is_file() else "")),
        SHEET_FILE if (folder / SHEET_FILE).is_file() else "",
        list(_figures(folder, run)),
        [name for name in (*TABLES, *TEXTS) if (folder / name).is_file()],
    )


def read_document(path: Path) -> str:
    """Return a Markdown file's text.

    Raises:
        XaibenchError: it isn't UTF-8.
    """
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise XaibenchError(
            f"{path}: isn't UTF-8; write it again with `xaibench report`."
        ) from None


def passages(document: str) -> Iterator[Passage]:
    r"""Yield the parts of a document that stand under headings of the second and third level.

    >>> text = "# All\n\nx\n\n## busi\n\n### Cost\n\ny\n\n## Classification\n\nz"
    >>> [tuple(each) for each in passages(text)]
    [('busi', 'Cost', 'y'), ('', 'Classification', 'z')]
    """
    chapter, title, lines = "", "", list[str]()
    for line in [*document.splitlines(), "## "]:
        if not (found := _HEADING.fullmatch(line)):
            lines.append(line)
            continue
        if title and (text := "\n".join(lines).strip()):
            yield Passage("" if title == chapter else chapter, title, text)
        if found[1] == "##":
            chapter = found[2]
        title, lines = found[2], []


def _figures(folder: Path, run: RunRecord) -> Iterator[Shown]:
    for pattern in PICTURES[2:]:
        for path in sorted(folder.glob(pattern)):
            place = path.relative_to(folder)
            words = (path.parent.name, path.stem) if len(place.parts) > 2 else (path.stem,)  # noqa: PLR2004
            yield Shown(_title(words, run), quote(place.as_posix()))


def _title(words: Sequence[str], run: RunRecord) -> str:
    """Name a figure by its file, as a run's report draws it."""
    name = words[-1]
    if len(words) > 1:
        return f"{words[0]}: {name.replace('_', ' ')}"
    before, board, metric = name.rpartition("board-")
    if board and metric in run.metrics:
        where = f" ({before.strip('-')})" if before else ""
        return f"{shown(run, metric)}{where}"
    return _TITLES.get(name, name.replace("_", " ").replace("-", " "))
