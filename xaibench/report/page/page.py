"""``report.html``: everything that is said of a run, in one file that asks nothing of the net."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from xaibench.core.store import write_text
from xaibench.report.facts.traits import title_of
from xaibench.report.judging.chapter import Chapter, Contents
from xaibench.report.page.about import facts, failures
from xaibench.report.page.embedded import Figures
from xaibench.report.page.gallery import Gallery
from xaibench.report.page.parts import parts
from xaibench.report.page.prose import prose, sentence
from xaibench.report.page.templating import environment, inlined
from xaibench.report.pictures.figures import Drawn
from xaibench.report.wording.answer import AnswerBox, answer
from xaibench.report.wording.conclusions import conclusions
from xaibench.report.wording.headline import headline
from xaibench.report.wording.markdown import bullets
from xaibench.report.wording.recommendation import recommendation
from xaibench.results.folder import (
    AGREEMENT_FILE,
    ANALYSES_FILE,
    BOARD_FILE,
    BOARD_LATEX_FILE,
    BOARD_MARKDOWN_FILE,
    CLASSIFICATION_FILE,
    COSTS_FILE,
    DECISIONS_FILE,
    DIAGNOSTICS_FILE,
    PAGE_FILE,
    PER_CLASS_FILE,
    RUN_FILE,
    SCORECARD_FILE,
    SCORES_FILE,
    SLICES_FILE,
)

_FILES = (
    BOARD_FILE, BOARD_MARKDOWN_FILE, BOARD_LATEX_FILE, SCORES_FILE, SLICES_FILE,
    SCORECARD_FILE, AGREEMENT_FILE, DECISIONS_FILE, CLASSIFICATION_FILE, PER_CLASS_FILE,
    ANALYSES_FILE, DIAGNOSTICS_FILE, COSTS_FILE, RUN_FILE,
)  # fmt: skip
_SCRIPTS = ("theme.js", "boards.js", "turn.js", "gallery.js")


def write_page(
    contents: Contents,
    figures: Sequence[Drawn],
    gallery: Gallery | None,
    out: Path,
    title: str = "",
) -> None:
    """Write ``report.html``.

    Args:
        contents: everything that is said of the run.
        figures: what was drawn of it, files in ``out/figures``.
        gallery: test images with their maps, where there are any.
        out: the run's folder.
        title: by default the dataset's name.

    Raises:
        XaibenchError: the folder can't be written, or its diagnostics can't be read.
    """
    run = contents.run
    found = list(parts(contents, Figures(figures, out), out))
    turning = any(f.space for part in found for block in part.blocks for f in block.figures)
    text = (
        environment()
        .get_template("report.html.j2")
        .render(
            title=title or title_of(run),
            dataset=run.dataset,
            date=run.date.partition("T")[0],
            answers=_answers(contents),
            headline=leads(contents),
            concluded=_concluded(contents),
            warnings=run.all_warnings,
            failures=failures(run, out),
            skipped=run.skipped,
            facts=facts(run),
            command=" ".join(run.command.split()),
            files=[name for name in _FILES if (out / name).is_file()],
            parts=found,
            turning=turning,
            gallery=gallery,
            **inlined(*_SCRIPTS),
        )
    )
    write_text(out / PAGE_FILE, text)


def leads(contents: Contents) -> Sequence[Markup]:
    """Return the sentences that a page opens with, one for each dataset and split."""
    several = len(contents.chapters) > 1
    return [
        sentence((f"{chapter.section.title}: " if several else "") + " ".join(said))
        for chapter in contents.chapters
        if (said := list(headline(chapter.section, contents.run, chapter.judged)))
    ]


def _answers(contents: Contents) -> Sequence[tuple[str, AnswerBox, Markup]]:
    """Return a box for each dataset and split: its title, the answer, why."""
    several = len(contents.chapters) > 1
    return [
        (chapter.section.title if several else "", found, sentence(found.because))
        for chapter in contents.chapters
        if (found := answer(chapter.section, contents.run, chapter.judged, chapter.board))
    ]


def _concluded(contents: Contents) -> Sequence[tuple[str, Markup]]:
    return [
        (
            chapter.section.title if len(contents.chapters) > 1 else "",
            prose(_said(chapter, contents)),
        )
        for chapter in contents.chapters
    ]


def _said(chapter: Chapter, contents: Contents) -> list[str]:
    section, run, judged = chapter.section, contents.run, chapter.judged
    advice = list(recommendation(section, run, judged, chapter.decisions))
    return [
        bullets(list(conclusions(section, run, judged, chapter.board))),
        *(["**Recommendation**", bullets(advice)] if advice else []),
    ]
