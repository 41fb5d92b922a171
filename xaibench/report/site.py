"""A static site of finished runs: an index, a page for each board, and its tables to download."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from xaibench.core.errors import XaibenchError
from xaibench.core.store import write_text
from xaibench.core.supervision import in_words
from xaibench.report.facts.material import read_material
from xaibench.report.facts.traits import header, primary_metric
from xaibench.report.judging.chapter import Contents, judge_all
from xaibench.report.judging.estimates import BoardRow
from xaibench.report.numbers import with_interval
from xaibench.report.page.page import leads
from xaibench.report.page.templating import environment, inlined
from xaibench.report.publish import publish
from xaibench.report.study import is_study, read_study
from xaibench.report.write import illustrate
from xaibench.results.folder import PAGE_FILE, RUN_FILE, STUDY_FILE, STUDY_PAGE_FILE

INDEX = "index.html"
_SCRIPTS = ("theme.js", "boards.js")


@dataclass(frozen=True)
class SiteBoard:
    """One run of the site: where its page lies, and what it says."""

    folder: str
    contents: Contents

    @property
    def date(self) -> str:
        """Day of the run."""
        return self.contents.run.date.partition("T")[0]

    @property
    def headlines(self) -> Sequence[Markup]:
        """The sentences that its page opens with."""
        return leads(self.contents)


@dataclass(frozen=True)
class SiteRow:
    """One row of one board, by the metric that its dataset's newest board leads with."""

    row: BoardRow
    board: SiteBoard
    metric: str

    @property
    def supervision(self) -> str:
        """What it learned from, in words."""
        return in_words(self.row.supervision, self.row.mask_budget)

    @property
    def value(self) -> float:
        """Its mean."""
        return self.row.value(self.metric)

    @property
    def text(self) -> str:
        """Its mean with the interval."""
        estimate = self.row.estimates[self.metric]
        return with_interval(estimate.value, estimate.low, estimate.high)


def build_site(results: Sequence[Path], out: Path) -> Sequence[str]:
    """Write a static site; it needs no server, and asks nothing of the net.

    Args:
        results: folders of finished runs, studies or publications, or folders that hold such.
        out: the site's folder, new or an earlier site.

    Returns:
        The names of its boards.

    Raises:
        XaibenchError: there is no run, two have the same name, one is damaged, or something else
            lies at ``out``.
    """
    if out.exists() and any(out.iterdir()) and not (out / INDEX).is_file():
        raise XaibenchError(f"{out}: something else lies there; choose another folder.")
    found = _name(list(_find(results)))
    if not found:
        listed = ", ".join(map(str, results))
        raise XaibenchError(f"{listed}: no finished run lies there; name folders of runs.")
    boards, studies = [], []
    for name, folder in found.items():
        publish(folder, out / name)
        if is_study(folder):
            studies.append((f"{name}/{STUDY_PAGE_FILE}", read_study(folder).about.question))
            continue
        contents = judge_all(read_material(out / name), out / name)
        illustrate(contents, out / name)
        boards.append(SiteBoard(name, contents))
    write_text(out / INDEX, _index(boards, studies))
    return list(found)


def _find(results: Sequence[Path]) -> Iterator[Path]:
    """Yield the runs and studies in or below folders; those that a study holds belong to it."""
    for folder in results:
        if (folder / RUN_FILE).is_file() or (folder / STUDY_FILE).is_file():
            yield folder
        elif folder.is_dir():
            yield from _find(
                sorted(each for each in folder.iterdir() if each.is_dir() and not each.is_symlink())
            )


def _name(folders: Sequence[Path]) -> Mapping[str, Path]:
    named: dict[str, Path] = {}
    for folder in folders:
        name = folder.resolve().name
        if name in named:
            raise XaibenchError(
                f"{folder} and {named[name]} are both called {name}; rename one of them."
            )
        named[name] = folder
    return named


def _index(boards: Sequence[SiteBoard], studies: Sequence[tuple[str, str]]) -> str:
    by_dataset: dict[str, list[SiteBoard]] = {}
    for board in sorted(boards, key=lambda each: each.contents.run.date, reverse=True):
        by_dataset.setdefault(board.contents.run.dataset, []).append(board)
    return (
        environment()
        .get_template("site.html.j2")
        .render(
            datasets=[_of_dataset(*each) for each in sorted(by_dataset.items())],
            studies=studies,
            page=PAGE_FILE,
            **inlined(*_SCRIPTS),
        )
    )


def _of_dataset(name: str, boards: Sequence[SiteBoard]) -> Mapping[str, object]:
    """Return a dataset's boards, newest first, and all of their rows by one metric, best first."""
    run = boards[0].contents.run
    metric = primary_metric(run)
    rows = [
        SiteRow(row, board, metric)
        for board in boards
        for chapter in board.contents.chapters
        for row in chapter.board
        if metric is not None and metric in row.estimates
    ]
    way = 1 if metric is not None and run.metrics[metric].higher_is_better else -1
    rows.sort(key=lambda row: -way * row.value if row.value == row.value else math.inf)
    title = header(run, metric) if metric is not None else ""
    order = "descending" if way > 0 else "ascending"
    return {"name": name, "boards": boards, "rows": rows, "metric": title, "order": order}
