"""Tables, figures and pages of a folder, from what is there: nothing else is asked."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from xaibench.core.csv_cells import to_csv
from xaibench.core.errors import XaibenchError
from xaibench.core.store import replacing, write_text, write_with, written_files
from xaibench.report.current import is_current, keep, sources_of
from xaibench.report.facts.material import read_material
from xaibench.report.facts.traits import title_of
from xaibench.report.judging.chapter import Contents, judge_all
from xaibench.report.page.gallery import collect_gallery
from xaibench.report.page.page import write_page
from xaibench.report.pictures.analysis_figures import draw_figures
from xaibench.report.pictures.figures import draw_report
from xaibench.report.pictures.gallery import numbered, pick_rows
from xaibench.report.pictures.grid import GridRow, draw_grid
from xaibench.report.pictures.restored import restored_blocks
from xaibench.report.pictures.stored import Stored, holds_maps
from xaibench.report.wording.analysis_document import analysis_lines
from xaibench.report.wording.document import to_markdown
from xaibench.report.wording.latex import to_latex
from xaibench.report.wording.scorecard import scorecard_to_markdown
from xaibench.report.wording.terminal import summary
from xaibench.results.folder import (
    ANALYSES_FILE,
    BOARD_LATEX_FILE,
    BOARD_MARKDOWN_FILE,
    GRID_FILE,
    SCORECARD_FILE,
)

_log = logging.getLogger(__name__)


def write_report(out: Path, *, accept_changes: bool = False, title: str = "") -> Contents:
    """Write all tables, figures and pages of a run's folder, and what they were made from.

    Args:
        out: the folder.
        accept_changes: take files that were changed since the run; the page says so.
        title: of the page, the picture grid and the LaTeX tables; by default the dataset's name.

    Returns:
        What they say, in numbers.

    Raises:
        XaibenchError: the folder is no run's, or holds no scores yet.
    """
    sources = sources_of(out)
    with written_files() as written:
        contents = judge_all(read_material(out, accept_changes=accept_changes), out)
        write_tables(contents, out, title)
        illustrate(contents, out, title)
    keep(out, sources, written, "\n".join([summary(contents, plain=True), *analysis_lines(out)]))
    return contents


def report_of(out: Path) -> Contents:
    """Return what a run's report says, in numbers; it is written if it would come out otherwise.

    Raises:
        XaibenchError: the folder is no run's, or holds no scores yet.
    """
    return judge_all(read_material(out), out) if is_current(out) else write_report(out)


def illustrate(contents: Contents, out: Path, title: str = "") -> None:
    """Draw a folder's figures and picture grid, and write its page under a title."""
    title = title or title_of(contents.run)
    for analysis in contents.analyses:
        draw_figures(analysis)
    stored = Stored(contents.run)
    _draw_grid(contents, stored, out, title)
    gallery = collect_gallery(contents, stored, out)
    write_page(contents, draw_report(contents, stored, out), gallery, out, title)


def write_tables(contents: Contents, out: Path, title: str = "") -> None:
    """Write ``leaderboard.csv``, ``.md`` and ``.tex``, ``slices.csv`` and the other tables.

    Captions in LaTeX begin with a title that is given.
    """
    run, chapters = contents.run, contents.chapters
    classified = {
        "classification": contents.classification,
        "classification_tests": contents.tests,
    }
    if contents.run.several_labels:
        tables = {"per_class": contents.per_class}
        for name in classified:  # earlier versions left them there, empty
            (out / f"{name}.csv").unlink(missing_ok=True)
    else:
        tables = classified
    if contents.analyses or (out / ANALYSES_FILE).is_file():
        tables["analyses"] = contents.quantities
    if any(len(chapter.variances) for chapter in chapters):
        tables["variance"] = pd.concat([chapter.variances for chapter in chapters])
    if chapters:
        tables |= {
            "leaderboard": contents.board,
            "slices": pd.concat([chapter.slices for chapter in chapters]),
            "agreement": pd.concat([chapter.agreement for chapter in chapters]),
            "decisions": pd.concat([chapter.decisions for chapter in chapters]),
        }
    # All is made before anything is written, so that a failure leaves no half of a folder.
    texts = {BOARD_MARKDOWN_FILE: to_markdown(contents, out)}
    if chapters:
        rows = [row for chapter in chapters for row in chapter.board]
        cards = [chapter.scorecard for chapter in chapters]
        texts[SCORECARD_FILE] = scorecard_to_markdown(cards, run)
        texts[BOARD_LATEX_FILE] = to_latex(rows, run, title)
    for name, table in tables.items():
        # Numbers of different protocols must never mix.
        told = table.assign(protocol=run.protocol_hash)
        write_with(out / f"{name}.csv", partial(to_csv, told))
    for name, text in texts.items():
        write_text(out / name, text)


def _draw_grid(contents: Contents, stored: Stored, out: Path, title: str) -> None:
    """Draw the maps of some test images, and what networks reconstruct of some."""
    rows: Sequence[GridRow] = ()
    if holds_maps(contents.material, out):
        try:
            rows = pick_rows(stored, out, contents.material)
        except XaibenchError as error:
            _log.warning("no picture grid: %s", error)
    elif not contents.run.options.get("keep_maps", True):
        _log.info(
            "note: no gallery and no picture grid: the run kept no maps; to have them, run "
            "it again with --keep-maps and another --out"
        )
    below = list(restored_blocks(contents.analyses))
    if rows or below:
        told = f"{title}: test images{numbered(contents.run) if rows else ''}"
        with replacing(out / GRID_FILE) as path:
            draw_grid(rows, path, told, below)
