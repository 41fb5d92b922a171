"""A run's figures for papers and pages: which are drawn, and what they are called."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from xaibench.core.store import folder_name
from xaibench.report.facts.traits import headlines
from xaibench.report.judging.chapter import Chapter, Contents
from xaibench.report.pictures.agreement_figure import draw_agreement
from xaibench.report.pictures.binary_figure import draw_binary
from xaibench.report.pictures.classes_figure import draw_classes
from xaibench.report.pictures.confusion_figure import draw_confusion
from xaibench.report.pictures.cost_figure import draw_cost
from xaibench.report.pictures.covered_figure import draw_covered
from xaibench.report.pictures.dependence_figure import draw_dependence
from xaibench.report.pictures.drawing import Drawing, save_figure
from xaibench.report.pictures.gallery import places_of
from xaibench.report.pictures.history_figure import draw_history
from xaibench.report.pictures.interval_figure import draw_intervals
from xaibench.report.pictures.ranks_figure import draw_ranks
from xaibench.report.pictures.rates_figure import draw_rates
from xaibench.report.pictures.repeats_figure import draw_repeats
from xaibench.report.pictures.scores_figure import draw_scores
from xaibench.report.pictures.slices_figure import draw_slices
from xaibench.report.pictures.stored import Stored
from xaibench.results.folder import HISTORY_FILE, Layout
from xaibench.results.records import RunRecord
from xaibench.results.tables import read_history

FOLDER = "figures"
_MOST_BOARDS = 8  # ranked metrics up to which each has a board of its own
_OF_HEADLINES = {
    "ranks": draw_ranks,
    "scores": draw_scores,
    "cost": draw_cost,
    "slices": draw_slices,
    "classes": draw_classes,
}


class Drawn(NamedTuple):
    """A saved figure: ``figures/<name>.png`` and ``.svg``.

    ``title`` is the first sentence of its caption, ``alt`` tells what it shows. ``chapter`` is its
    place in the contents' chapters, None where a figure is of the whole run. ``subject`` is one of
    board, ranks, scores, dependence, agreement, cost, repeats, binary, covered, slices, classes,
    rates, confusion, training.
    """

    name: str
    title: str
    alt: str
    chapter: int | None
    subject: str


class _Sketch(NamedTuple):
    parts: tuple[str, ...]
    chapter: int | None
    subject: str
    picture: Drawing | None


def draw_report(contents: Contents, stored: Stored, out: Path) -> list[Drawn]:
    """Draw all that a run's contents allow, and remove what an earlier report drew beyond it.

    Args:
        contents: what is shown.
        stored: the run's images and maps.
        out: the run's folder; figures go to ``figures/`` in it.

    Returns:
        What was drawn: chapter by chapter, then figures of the whole run.

    Raises:
        XaibenchError: the folder can't be written.
    """
    folder = out / FOLDER
    drawn = []
    for parts, chapter, subject, picture in _sketches(contents, stored, out):
        if picture is not None:
            name = folder_name("-".join(folder_name(part) for part in parts if part))
            save_figure(picture.figure, folder, name)
            drawn.append(Drawn(name, picture.title, picture.alt, chapter, subject))
    names = {figure.name for figure in drawn}
    for path in folder.glob("*.*"):
        if path.suffix in (".png", ".svg") and path.stem not in names:
            path.unlink()
    return drawn


def _sketches(contents: Contents, stored: Stored, out: Path) -> Iterator[_Sketch]:
    """Yield figures one after another, so that only one is in memory."""
    for at, chapter in enumerate(contents.chapters):
        section = chapter.section
        where = (section.dataset, section.split) if len(contents.chapters) > 1 else ()
        for subject, metric, picture in _of_chapter(chapter, contents.run):
            yield _Sketch((*where, subject, metric), at, subject, picture)
        for metric in headlines(contents.run)[:1]:
            picture = draw_repeats(chapter, contents.material, metric, stored, out)
            yield _Sketch((*where, "repeats"), at, "repeats", picture)
        for subject, draw_maps in (("binary", draw_binary), ("covered", draw_covered)):
            picture = draw_maps(chapter, contents.material, stored, out)
            yield _Sketch((*where, subject), at, subject, picture)
    places = list(contents.classification.groupby(["dataset", "split"], sort=False))
    for key, rows in places:
        dataset, split = map(str, key)
        where = (dataset, split) if len(places) > 1 else ()
        classes = contents.run.of_dataset(dataset).classes
        for subject, draw in (("rates", draw_rates), ("confusion", draw_confusion)):
            picture = draw(rows, classes, f"{dataset}, {split}")
            yield _Sketch((*where, subject), None, subject, picture)
    layout = Layout(out)
    histories = {
        place: read_history(path)
        for place in places_of(contents.material.predictions)
        if (path := layout.model_folder(place) / HISTORY_FILE).is_file()
    }
    yield _Sketch(("training",), None, "training", draw_history(histories))


def _of_chapter(chapter: Chapter, run: RunRecord) -> Iterator[tuple[str, str, Drawing | None]]:
    heads = headlines(run)
    ranked = [name for name, traits in run.metrics.items() if traits.ranked]
    for metric in ranked if len(ranked) <= _MOST_BOARDS else heads:
        yield "board", metric, draw_intervals(chapter, run, metric)
    for subject, draw in _OF_HEADLINES.items():
        for metric in heads:
            yield subject, metric, draw(chapter, run, metric)
    for metric in heads:
        if run.metrics[metric].family == "localization":
            yield "dependence", metric, draw_dependence(chapter, run, metric)
    yield "agreement", "", draw_agreement(chapter, run)
