"""The pages of a site: from templates and what publications hold, and from nothing else."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from markupsafe import Markup

from xaibench.core.store import folder_name
from xaibench.report.facts.dataset_names import bare_dataset_name
from xaibench.report.facts.proper_names import method_name, network_name
from xaibench.report.facts.traits import header, primary_metric
from xaibench.report.judging.estimates import BoardRow, by_section
from xaibench.report.numbers import with_interval
from xaibench.report.page.about import facts
from xaibench.report.page.prose import prose
from xaibench.report.page.sheets import sheets
from xaibench.report.page.templating import environment, inlined
from xaibench.report.publication import ANSWERS, Passage, Publication

INDEX = "index.html"
_SCRIPTS = ("theme.js", "boards.js")
_POINTS = 2


class StudyPage(NamedTuple):
    """A study: its folder, name, question, Markdown, and its picture's file (empty: none)."""

    folder: str
    name: str
    question: str
    document: str
    picture: str


@dataclass(frozen=True)
class SiteRow:
    """A row of the newest board that has it, by one metric; ``earlier`` are those before it."""

    row: BoardRow
    board: Publication
    metric: str
    earlier: Sequence["SiteRow"] = ()

    @property
    def supervision(self) -> str:
        """What it learned from, in words; empty for controls."""
        return "" if self.row.kind == "control" else self.row.learned_from

    @property
    def value(self) -> float:
        """Its mean."""
        return self.row.value(self.metric)

    @property
    def text(self) -> str:
        """Its mean with the interval."""
        estimate = self.row.estimates[self.metric]
        return with_interval(estimate.value, estimate.low, estimate.high)

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two rows of different boards the same."""
        return self.row.section, self.row.model, self.row.method, self.supervision


@dataclass(frozen=True)
class SiteTable:
    """All rows of one dataset and split, the best first; controls by themselves."""

    title: str
    metric: str
    order: str
    rows: Sequence[SiteRow]

    @property
    def bodies(self) -> Sequence[tuple[str, Sequence[SiteRow]]]:
        """Rows that are sorted among themselves, each with the words above them."""
        ranked = [row for row in self.rows if row.row.kind != "control"]
        controls = [row for row in self.rows if row.row.kind == "control"]
        found = [("", ranked), ("Controls, not ranked", controls)]
        return [(lead, rows) for lead, rows in found if rows]

    @property
    def remembers(self) -> bool:
        """Whether any row has a history."""
        return any(row.earlier for row in self.rows)


@dataclass(frozen=True)
class SiteDataset:
    """A dataset: its boards, the newest first, and tables of their rows."""

    name: str
    boards: Sequence[Publication]
    tables: Sequence[SiteTable]

    @property
    def title(self) -> str:
        """What papers call it; folders of images go by their names."""
        names = (bare_dataset_name(board.run.dataset) for board in self.boards)
        return ", ".join(dict.fromkeys(names))

    @property
    def link(self) -> str:
        """The file of its page, beside the index."""
        return f"dataset-{folder_name(self.name)}.html"

    @property
    def supervisions(self) -> Sequence[str]:
        """All that any of its rows learned from."""
        return sorted({row.supervision for table in self.tables for row in table.rows} - {""})

    @property
    def models(self) -> Sequence[str]:
        """The networks of its rows."""
        return sorted({row.row.model for table in self.tables for row in table.rows} - {""})


def datasets_of(boards: Sequence[Publication]) -> Sequence[SiteDataset]:
    """Return the datasets of boards in alphabetical order."""
    newest = sorted(boards, key=lambda each: (each.run.date, each.folder), reverse=True)
    by_name: dict[str, list[Publication]] = {}
    for board in newest:
        by_name.setdefault(board.run.dataset.partition("[")[0], []).append(board)
    return [SiteDataset(name, own, list(_tables(own))) for name, own in sorted(by_name.items())]


def index_page(datasets: Sequence[SiteDataset], studies: Sequence[StudyPage]) -> str:
    """Return the index: datasets, each with what its newest board says, and studies."""
    answers = [_lead(dataset.boards[0]) for dataset in datasets]
    return _render(
        "site_index.html.j2",
        "Saliency boards",
        datasets=list(zip(datasets, answers, strict=True)),
        studies=studies,
    )


def dataset_page(dataset: SiteDataset) -> str:
    """Return a dataset's page: its boards, and all of their rows with their history."""
    boards = [(board, _lead(board)) for board in dataset.boards]
    return _render("site_dataset.html.j2", dataset.title, dataset=dataset, boards=boards)


def board_page(board: Publication) -> str:
    """Return a publication's page: answer, boards, pictures, the stored document, downloads."""
    sections = [
        (title if several else "", list(sheets(rows, board.run)))
        for several in [len({row.section for row in board.rows}) > 1]
        for title, rows in by_section(board.rows)
    ]
    return _render(
        "site_board.html.j2",
        board.folder,
        board=board,
        sections=sections,
        answers=[_rendered(each) for each in board.answers],
        details=[_rendered(each) for each in board.details],
        facts=facts(board.run),
        command=" ".join(board.run.command.split()),
    )


def study_page(study: StudyPage) -> str:
    """Return a study's page: its document, without the heading, and its picture."""
    _, _, rest = study.document.partition("\n")
    text = prose(rest.split("\n\n"), 2)
    return _render("site_study.html.j2", study.name, study=study, text=text)


def _tables(boards: Sequence[Publication]) -> Iterator[SiteTable]:
    """Yield a table for each selection of images and split, the newest board's first."""
    titles = {row.section: row.title for board in boards for row in board.rows}
    for section, title in titles.items():
        own = [board for board in boards if any(row.section == section for row in board.rows)]
        metric = primary_metric(own[0].run)
        if metric is not None:
            yield _table(section, title, own, metric)


def _table(section: str, title: str, boards: Sequence[Publication], metric: str) -> SiteTable:
    """Gather rows of boards, newest first, by the metric that the newest leads with."""
    by_key: dict[tuple[str, ...], list[SiteRow]] = {}
    for row in (each for board in boards for each in _rows(board, section, metric)):
        by_key.setdefault(row.key, []).append(row)
    rows = [replace(own[0], earlier=own[1:]) for own in by_key.values()]
    about = boards[0].run.metrics[metric]
    way = -1 if about.higher_is_better else 1
    rows.sort(key=lambda row: math.inf if math.isnan(row.value) else way * row.value)
    order = "descending" if way < 0 else "ascending"
    return SiteTable(title, header(boards[0].run, metric), order, rows)


def _rows(board: Publication, section: str, metric: str) -> Iterator[SiteRow]:
    """Yield a board's rows; a control that scores the same beside each network is there once."""
    values: dict[str, set[float]] = {}
    found = [row for row in board.rows if row.section == section and metric in row.estimates]
    for row in found:
        values.setdefault(row.method, set()).add(row.value(metric))
    seen = set()
    for row in found:
        same = row.kind == "control" and len(values[row.method]) == 1
        if same and row.method in seen:
            continue
        seen.add(row.method)
        yield SiteRow(replace(row, model="") if same else row, board, metric)


def _lead(board: Publication) -> Markup:
    """Return the first two points of a board's first answer: which method, and how sure."""
    for passage in board.answers[:1]:
        points = [line for line in passage.text.splitlines() if line.startswith("- ")]
        text = "\n".join(points[:_POINTS])
        for row in board.rows:
            for spec, name_of in ((row.method, method_name), (row.model, network_name)):
                text = text.replace(f"`{spec}`", _called(spec, name_of))
        return prose([text])
    return Markup()


def _called(spec: str, name_of: Callable[[str], str]) -> str:
    """Return what papers call it in Markdown; what isn't in our tables stays code."""
    name, bracket, options = spec.partition("[")
    proper = name_of(name)
    return f"`{spec}`" if proper == name else proper + f" `{bracket}{options}`" * bool(bracket)


def _rendered(passage: Passage) -> tuple[str, str, Markup]:
    """Return a passage's chapter, title and HTML; of an answer its list alone."""
    parts = passage.text.split("\n\n")
    if passage.title in ANSWERS:
        parts = [part for part in parts if part.startswith("- ")][:1]
    return passage.chapter, passage.title, prose(parts, 4)


def _render(template: str, title: str, **told: Any) -> str:
    made = environment().get_template(template)
    return made.render(title=title, index=INDEX, **told, **inlined(*_SCRIPTS))
