"""The page's parts in their order: boards, decisions, costs, agreement, slices and the rest."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from xaibench.core.markdown import markdown_table
from xaibench.report.judging.agreement import agreement_lines, identical_rows
from xaibench.report.judging.chapter import Chapter, Contents
from xaibench.report.judging.decision import decisions_to_markdown
from xaibench.report.judging.slices import FEWEST_GROUPS
from xaibench.report.page.about import provenance, undefined
from xaibench.report.page.diagnosed import verdicts
from xaibench.report.page.embedded import Embedded, Figures, analysis_figures
from xaibench.report.page.prose import prose
from xaibench.report.page.sheets import Sheet, cost_sheet, metric_anchor, sheets
from xaibench.report.pictures.shown_rows import counted
from xaibench.report.wording.analysis_document import analyses_to_markdown
from xaibench.report.wording.classification_tables import (
    classification_to_markdown,
    per_class_to_markdown,
)
from xaibench.report.wording.definitions import definitions
from xaibench.report.wording.document import ABOUT_AGREEMENT, ABOUT_SLICES, NOTES, SAME_RESULT
from xaibench.report.wording.markdown import bullets
from xaibench.report.wording.repeats import TITLE, repeats_to_markdown
from xaibench.report.wording.scorecard import ABOUT, card
from xaibench.report.wording.slice_tables import slices_to_markdown
from xaibench.results.records import RunRecord

_ABOUT_BOARDS = (
    "A cell holds a mean, its 95 % interval and letters: rows that share a letter are not "
    "significantly different; where letters would be too many, `=` marks ties with the best. Press "
    "a letter in the head, and its rows are highlighted. A shaded cell is not significantly "
    "different from the best one, which is bold. The line under it is the interval on the "
    "column's scale, the dot its mean, the thin bar the best control that never looks at the "
    "image. † marks networks whose training saw masks."
)
_ABOUT_CLASSES = (
    f"One board for each class of which {FEWEST_GROUPS} independent images or more have a score. "
    "Nothing is tested within a class, so that rows have no letters and no ranks; pooled metrics "
    "have no value on a part of the images."
)
_EMPTY = Markup()


@dataclass(frozen=True)
class Block:
    """A piece of a part; of one dataset and split where a title names it.

    ``aside`` and ``closed`` are shown when asked for, the latter behind the words ``lead``, and
    each of the ``folds`` behind its own.
    """

    title: str = ""
    text: Markup = _EMPTY
    sheets: Sequence[Sheet] = ()
    figures: Sequence[Embedded] = ()
    aside: Sequence[Embedded] = ()
    closed: Markup = _EMPTY
    lead: str = ""
    folds: Sequence[tuple[str, Sequence[Sheet]]] = ()

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return bool(self.text or self.sheets or self.figures)


class PagePart(NamedTuple):
    """A part of the page, with its place in the table of contents."""

    anchor: str
    title: str
    blocks: Sequence[Block]


def parts(contents: Contents, figures: Figures, out: Path) -> Iterator[PagePart]:
    """Yield all parts that have something to say.

    Args:
        contents: what is said.
        figures: what was drawn of it.
        out: the run's folder, which holds diagnostics and figures of analyses.
    """
    run, chapters = contents.run, contents.chapters
    for anchor, title, made in (
        ("boards", "Boards", [_boards(contents, at, figures) for at in range(len(chapters))]),
        ("classes", "Boards of each class", [_of_classes(c, run) for c in chapters]),
        (
            "attention",
            "Accuracy and attention",
            [_attention(contents, at, figures) for at in range(len(chapters))],
        ),
        (
            "scorecard",
            "Scorecard",
            [
                Block(text=prose([ABOUT, card(chapter.scorecard)]))
                for chapter in chapters
                if len(chapter.scorecard)
            ],
        ),
        (
            "pictures",
            "Best and worst maps",
            [Block(figures=figures.of(at, "binary", "covered")) for at in range(len(chapters))],
        ),
        ("cost", "Cost of a map", [_cost(contents, at, figures) for at in range(len(chapters))]),
        (
            "agreement",
            "Do the metrics agree?",
            [_agreement(contents, at, figures) for at in range(len(chapters))],
        ),
        ("repeats", TITLE, [_repeats(contents, at, figures) for at in range(len(chapters))]),
        ("slices", "Slices", [_slices(contents, at, figures) for at in range(len(chapters))]),
        ("classification", "Classification", [_classification(contents, figures)]),
        ("analyses", "Analyses", [_analyses(contents, out)]),
        (
            "diagnostics",
            "Diagnostics",
            [
                Block(text=text, closed=closed, lead="All figures, and what each of them means")
                for text, closed in verdicts(out)
            ],
        ),
        ("undefined", "Undefined values", [Block(text=prose(undefined(contents.material.scores)))]),
        ("reading", "How to read the tables", [Block(text=prose([NOTES] if chapters else []))]),
        ("metrics", "What each metric means", [_metrics(contents)]),
        ("provenance", "Provenance", [Block(text=prose(provenance(run)))]),
    ):
        names = [each.section.title for each in chapters] if len(chapters) > 1 else []
        titled = names if len(made) == len(names) else [""] * len(made)
        blocks = [replace(b, title=name) for b, name in zip(made, titled, strict=True) if b]
        if blocks:
            yield PagePart(anchor, title, blocks)


def _boards(contents: Contents, at: int, figures: Figures) -> Block:
    chapter = contents.chapters[at]
    text = [_ABOUT_BOARDS]
    if same := identical_rows(chapter.section):
        text += [SAME_RESULT, bullets([f"{' = '.join(names)} on {model}" for model, names in same])]
    return Block(
        text=prose(text),
        sheets=list(sheets(chapter.board, contents.run)),
        aside=figures.of(at, "ranks", "scores", "board"),
    )


def _of_classes(chapter: Chapter, run: RunRecord) -> Block:
    found = chapter.class_boards
    if not found:
        return Block()
    folds = [
        (f"{each.name}: {counted(each.images, 'image')}", list(sheets(each.rows, run)))
        for each in found
    ]
    return Block(text=prose([_ABOUT_CLASSES]), folds=folds)


def _attention(contents: Contents, at: int, figures: Figures) -> Block:
    text = _body(decisions_to_markdown(contents.chapters[at].decisions))
    return Block(text=text, figures=figures.of(at, "dependence"))


def _cost(contents: Contents, at: int, figures: Figures) -> Block:
    sheet = cost_sheet(contents.chapters[at].board, contents.run)
    return Block(sheets=[sheet] if sheet else [], figures=figures.of(at, "cost"))


def _agreement(contents: Contents, at: int, figures: Figures) -> Block:
    table = agreement_lines(contents.chapters[at].agreement, contents.run)
    text = prose([ABOUT_AGREEMENT, markdown_table(*table)]) if table else _EMPTY
    return Block(text=text, figures=figures.of(at, "agreement"))


def _repeats(contents: Contents, at: int, figures: Figures) -> Block:
    chapter = contents.chapters[at]
    text = _body(repeats_to_markdown(chapter.repeats, chapter.variances, contents.run))
    return Block(text=text, figures=figures.of(at, "repeats"))


def _slices(contents: Contents, at: int, figures: Figures) -> Block:
    found = list(slices_to_markdown(contents.chapters[at].slices, contents.run))
    below = 4 if len(contents.chapters) > 1 else 3  # the chapter's own heading
    if not found:
        return Block()
    tables = prose(found, below)
    return Block(
        text=prose([ABOUT_SLICES]),
        figures=figures.of(at, "classes", "slices"),
        closed=tables,
        lead="All tables",
    )


def _classification(contents: Contents, figures: Figures) -> Block:
    found = list(classification_to_markdown(contents.classification, contents.tests))
    text = _body(found or per_class_to_markdown(contents.per_class))
    return Block(text=text, figures=figures.of(None, "rates", "confusion", "training"))


def _analyses(contents: Contents, out: Path) -> Block:
    text = _body(analyses_to_markdown(contents.analyses, contents.quantities, out))
    return Block(text=text, figures=list(analysis_figures(contents.analyses, out)))


def _metrics(contents: Contents) -> Block:
    run = contents.run
    headings = {f"`{name}`": f"### `{name}`" for name in run.metrics}
    anchors = {name: metric_anchor(run, name) for name in run.metrics}
    return Block(text=prose([headings.get(text, text) for text in definitions(run)], 3, anchors))


def _body(paragraphs: Iterable[str]) -> Markup:
    """Render all but the heading, which is the part's."""
    return prose(list(paragraphs)[1:])
