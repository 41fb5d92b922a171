"""Everything that is said of a run, in numbers; tables, figures and pages are made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from xaibench.report.facts.material import Material
from xaibench.report.facts.section import Section, sections
from xaibench.report.judging.agreement import agreement
from xaibench.report.judging.analyses import Analysis, quantities, read_analyses
from xaibench.report.judging.class_boards import ClassBoard, class_boards
from xaibench.report.judging.classification import classification_table, compare_models
from xaibench.report.judging.decision import decisions
from xaibench.report.judging.estimates import BoardRow, to_frame
from xaibench.report.judging.judge import Judged, judge
from xaibench.report.judging.leaderboard import leaderboard
from xaibench.report.judging.per_class import per_class_table
from xaibench.report.judging.repeats import repeats, variances
from xaibench.report.judging.scorecard import scorecard
from xaibench.report.judging.slices import slices
from xaibench.results.records import RunRecord
from xaibench.stats.rounding import rounded_table


@dataclass(frozen=True)
class Chapter:
    """One dataset and split, with everything that is said of it."""

    section: Section
    judged: Mapping[str, Judged]
    board: Sequence[BoardRow]
    slices: pd.DataFrame
    agreement: pd.DataFrame
    decisions: pd.DataFrame
    scorecard: pd.DataFrame
    repeats: pd.DataFrame
    variances: pd.DataFrame
    class_boards: Sequence[ClassBoard] = ()


@dataclass(frozen=True)
class Contents:
    """A whole run.

    ``board`` holds all chapters' rows; a run that only analyses has no chapters. ``classification``
    and ``tests`` are from `classification_table` and `compare_models`, ``quantities`` is what the
    ``analyses`` came to. ``per_class`` is from `per_class_table` where images may show several
    classes, and empty elsewhere.
    """

    material: Material
    chapters: Sequence[Chapter]
    board: pd.DataFrame
    classification: pd.DataFrame
    tests: pd.DataFrame
    analyses: Sequence[Analysis]
    quantities: pd.DataFrame
    per_class: pd.DataFrame

    @property
    def run(self) -> RunRecord:
        """``run.json``."""
        return self.material.run


def judge_all(material: Material, out: Path) -> Contents:
    """Judge everything that is in a folder; the tables' numbers are `rounded`.

    Args:
        material: its scores, predictions and costs.
        out: the folder, for what its analyses left.
    """
    run = material.run
    judged = [(section, judge(section, run)) for section in sections(material)]
    rows = leaderboard(material, judged)
    classification, tests = _classification(material)
    analyses = read_analyses(out)
    return Contents(
        material,
        [_chapter(section, found, rows, material) for section, found in judged],
        to_frame(rows, run.protocol_hash),
        rounded_table(classification),
        rounded_table(tests),
        analyses,
        rounded_table(quantities(analyses)),
        rounded_table(per_class_table(material.images, run)),
    )


def _chapter(
    section: Section, judged: Mapping[str, Judged], rows: Sequence[BoardRow], material: Material
) -> Chapter:
    board = [row for row in rows if (row.dataset, row.split) == (section.dataset, section.split)]
    repeated = repeats(section, material)
    parts = rounded_table(slices(section, material))
    return Chapter(
        section,
        judged,
        board,
        parts,
        rounded_table(agreement(section, material.run, judged)),
        rounded_table(decisions(section, material)),
        rounded_table(scorecard(section, material.run, board)),
        rounded_table(repeated),
        rounded_table(variances(section, material.run, repeated)),
        class_boards(board, parts, material.run),
    )


def _classification(material: Material) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return how well the models classify, and whether they differ; datasets have own classes."""
    # Submitted maps may explain a network that nobody named.
    known = material.predictions.dropna(subset="prediction")
    if material.run.several_labels:  # `per_class_table` tells of each
        known = known.iloc[:0]
    found = []
    for dataset in sorted(set(known["dataset"])) or [""]:
        rows = known[known["dataset"] == dataset]
        classes = material.run.of_dataset(dataset).classes
        found.append((classification_table(rows, classes), compare_models(rows, classes)))
    tables, tests = zip(*found, strict=True)
    return pd.concat(tables), pd.concat(tests)
