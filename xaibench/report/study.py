"""A study's folder: answers, tables and a picture, from what its runs left."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from xaibench.core.csv_cells import to_csv
from xaibench.core.errors import XaibenchError
from xaibench.core.markdown import markdown_table, plain
from xaibench.core.store import write_text, write_with
from xaibench.report.facts.section import Section
from xaibench.report.facts.traits import header, metrics_of
from xaibench.report.judging.arms import gather_arms
from xaibench.report.judging.comparisons import compare_arms
from xaibench.report.judging.frontier import Frontier, frontier
from xaibench.report.numbers import number, p_text, with_interval
from xaibench.report.pictures.drawing import save_figure
from xaibench.report.pictures.frontier_figure import draw_frontier
from xaibench.report.pictures.study_figure import draw_study
from xaibench.report.wording.answers import answers, change
from xaibench.report.wording.frontier import crossings_in_words, frontier_to_markdown
from xaibench.report.wording.markdown import bullets
from xaibench.results.folder import (
    BUDGETS_FILE,
    FRONTIER_FIGURE_FILE,
    FRONTIER_FILE,
    STUDY_FIGURE_FILE,
    STUDY_FILE,
    STUDY_PAGE_FILE,
    STUDY_TABLE_FILE,
)
from xaibench.results.integrity import read_record, write_record
from xaibench.results.plain import check_plain
from xaibench.results.records import SCHEMA, RunRecord
from xaibench.results.study_records import About, Arm, StudyRecord

_HEADINGS = {"arm": "", "factor": "Means over all other factors", "trend": "Trends"}
_NOTES = """\
- A value is the mean over test images, seeds and folds with its 95 % interval, clustered by \
groups of near-duplicates and by training as on a run's leaderboard.
- A difference is paired by image. p is corrected by Holm's method for all rows of its table; \
`detectable` is the minimum detectable difference (80 % power) under this correction. Where \
nothing differs at all, the interval says what other images could still show.
- Columns `_training_sets` of study.csv generalize to new training sets, too: they take each fold, \
with its training set and its test images, for one observation.
- A factor's level is the mean of all networks that have it.
- A trend is the change from the first level to the last on a straight line through the levels, \
which count as equally far apart, fitted to each image.
- The runs lie beside this file, each with tables of its own; study.csv has all figures."""


def write_study(out: Path, arms: Sequence[Arm], about: About) -> list[str]:
    """Write ``study.md``, ``study.csv``, ``study.json``, ``study.png`` and ``study.svg``.

    Args:
        out: the study's folder, which holds its runs.
        arms: what is compared, in the order of the table.
        about: the rest.

    Returns:
        The answers, sentences in Markdown.

    Raises:
        XaibenchError: no run left any scores.
    """
    section, material = gather_arms(out, arms, with_loss=about.with_loss)
    table = compare_arms(section, material.run, arms, ordered=about.ordered)
    found, bought = list(answers(table, section)), _bought(out, arms, section, material.run, about)
    if bought is not None:
        found = [*crossings_in_words(bought), *found]
        _write_frontier(bought, material.run, out, f"{about.name}, {section.dataset}")
    text = "\n\n".join(_document(table, material.run, found, about, section.dataset, bought)) + "\n"
    told = table.assign(dataset=section.dataset, split=section.split)
    write_with(out / STUDY_TABLE_FILE, partial(to_csv, told))
    write_text(out / STUDY_PAGE_FILE, text)
    write_record(out / STUDY_FILE, StudyRecord(about, arms, SCHEMA))
    figure = draw_study(table, material.run, f"{about.name}, {section.dataset}")
    save_figure(figure, out, "study")
    return found


def _bought(
    out: Path, arms: Sequence[Arm], section: Section, run: RunRecord, about: About
) -> Frontier | None:
    """Return what annotation buys, where the study is about that and has a metric for it."""
    names = metrics_of(run, "localization", ranked=True)
    if about.seconds is None or not names:
        return None
    return frontier(out, arms, section, (names[0], run.metrics[names[0]]), about.seconds)


def _write_frontier(found: Frontier, run: RunRecord, out: Path, title: str) -> None:
    write_with(out / FRONTIER_FILE, partial(to_csv, found.rows.assign(metric=found.metric)))
    write_with(out / BUDGETS_FILE, partial(to_csv, found.curves))
    picture = draw_frontier(found, run, title)
    save_figure(picture.figure, out, Path(FRONTIER_FIGURE_FILE).stem)


def is_study(out: Path) -> bool:
    """Whether a study left this folder."""
    return (out / STUDY_FILE).is_file()


def read_study(out: Path) -> StudyRecord:
    """Return what `write_study` was given.

    Raises:
        XaibenchError: ``study.json`` isn't what a study writes.
    """
    check_plain(out)
    found = read_record(out / STUDY_FILE, StudyRecord)
    if found is None:
        raise XaibenchError(f"{out}: no study.json; name the --out folder of an `xaibench study`.")
    for point in dict.fromkeys(arm.point for arm in found.arms):
        if (out / point).is_symlink():
            raise XaibenchError(f"{out / point}: a link, as no study leaves one; put a copy there.")
    return found


def rewrite_study(out: Path) -> list[str]:
    """Write a study's tables and picture again, from its runs; return its answers.

    Raises:
        XaibenchError: its runs left no scores, or damaged ones.
    """
    found = read_study(out)
    return write_study(out, found.arms, found.about)


def _document(
    table: pd.DataFrame,
    run: RunRecord,
    found: list[str],
    about: About,
    dataset: str,
    bought: Frontier | None,
) -> Iterator[str]:
    yield f"# Study {plain(f'{about.name}: {dataset}')}"
    yield f"    {' '.join(about.command.split())}"
    yield about.question
    yield bullets(found)
    if about.failures:
        yield "**Failed, and tried again by the same command**"
        yield bullets([f"{what}: {why}" for what, why in about.failures.items()])
    if bought is not None:
        yield from frontier_to_markdown(bought, about.seconds or {})
        yield f"![Scores against minutes of annotation]({FRONTIER_FIGURE_FILE})"
    yield f"![Scores over the levels]({STUDY_FIGURE_FILE})"
    for (metric, method), lines in table.groupby(["metric", "method"], sort=False):
        yield f"## {header(run, str(metric))}" + (f" of {method}" if method else "")
        # Of crossed factors the means come first: there may be dozens of networks.
        for kind in ("factor", "arm", "trend"):
            chosen = lines[lines["kind"] == kind]
            if len(chosen):
                heading = f"{_HEADINGS[kind]}:\n\n" if _HEADINGS[kind] else ""
                yield heading + _table(chosen, "factor" if kind == "factor" else "network")
    yield "## How to read the tables"
    yield _NOTES


def _table(lines: pd.DataFrame, first: str) -> str:
    rows = []
    for line in lines.to_dict("records"):
        value = with_interval(line["value"], line["low"], line["high"])
        compared = not pd.isna(line["difference"])
        differs = [
            line["against"],
            change(line),
            p_text(line["p_holm"]),
            number(line["detectable"]),
        ]
        rows.append(
            [
                line["series"],
                line["level"],
                value,
                str(line["n"]),
                *(differs if compared else [""] * len(differs)),
            ]
        )
    header = [first, "level", "value", "n", "against", "difference", "p", "detectable"]
    return markdown_table(header, rows)
