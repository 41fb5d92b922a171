"""One recommendation: which method, how sure, and what would change it."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from xaibench.report.facts.section import Section
from xaibench.report.facts.traits import header, primary_metric
from xaibench.report.judging.blind import beside_blind
from xaibench.report.judging.judge import Judged
from xaibench.report.judging.standing import order_rows, other_leaders
from xaibench.report.judging.tested import LEVEL
from xaibench.report.numbers import number, p_text
from xaibench.report.wording.row_names import name_of, names_of, value_of
from xaibench.results.records import RunRecord


def recommendation(
    section: Section, run: RunRecord, judged: Mapping[str, Judged], decisions: pd.DataFrame
) -> Iterator[str]:
    """Yield Markdown sentences; none without a primary metric or a row that has scores by it."""
    metric = primary_metric(run)
    if metric is None or not (ranked := order_rows(section, run, judged[metric], metric)):
        return
    if why := (run.won or {}).get(metric):
        yield f"**Which:** none, as {why} (`xaibench diagnose --gaming`)."
        return
    found, leader = judged[metric], ranked[0]
    tied = [at for at in ranked[1:] if not found.p[leader, at] < LEVEL]
    yield f"**Which:** {_which(section, run, metric, found, ranked, tied)}"
    yield f"**How sure:** {' '.join(_how_sure(section, found, leader))}"
    changes = "; ".join(_changes(section, run, judged, metric, decisions))
    yield f"**What would change it:** {changes}."


def _which(
    section: Section, run: RunRecord, metric: str, found: Judged, ranked: list[int], tied: list[int]
) -> str:
    leader = ranked[0]
    blind = beside_blind(section, run, metric).get(leader)
    if blind and not blind.better:
        return (
            f"none. By {header(run, metric)} no row is significantly better than "
            f"`{section.rows[blind.control].method}` ({number(found.mean[blind.control])}), which "
            "never looks at the image."
        )
    first = f"{name_of(section, leader)}, {value_of(found, leader)} by {header(run, metric)}"
    if not tied:
        return f"{first}."
    return f"{first}, or as well {names_of(section, tied)}, not significantly different from it."


def _how_sure(section: Section, found: Judged, leader: int) -> Iterator[str]:
    others = [at for at in section.ranked if at != leader and not np.isnan(found.p[leader, at])]
    if not others:
        yield "there is no other row to compare with."
    else:
        differ, worst = found.p[leader, others] < LEVEL, found.p[leader, others].max()
        largest = f" ({p_text(worst)}{' at most' * (len(others) > 1)})" if differ.all() else ""
        yield (
            f"{_of(differ.sum(), len(others))} significantly different from "
            f"{name_of(section, leader)}{largest}."
        )
    anew = found.over_sets
    if section.units["seed"].nunique() == 1:
        yield "One training seed: training variance is not covered."
    elif anew is None:
        yield "One fold: new training sets are not covered."
    else:
        same = sum(not anew.p[leader, at] < LEVEL for at in others)
        yield (
            f"With new training sets {_of(len(others) - same, len(others))} significantly "
            "different."
            if same
            else "The same holds for new training sets."
        )


def _of(some: int, count: int) -> str:
    """Say how many of the other rows are something."""
    if count == 1:
        return "the other row is" if some else "the other row is not"
    return f"all {count} other rows are" if some == count else f"{some} of {count} other rows are"


def _changes(
    section: Section,
    run: RunRecord,
    judged: Mapping[str, Judged],
    metric: str,
    decisions: pd.DataFrame,
) -> Iterator[str]:
    leader, *_ = leaders = other_leaders(section, run, judged, metric)
    for place in leaders:
        if place != leader:
            names = " and ".join(f"`{name}`" for name in leaders[place])
            yield f"another metric: by {names}, {name_of(section, place)} leads"
    if len(decisions):
        row = section.rows[leader]
        mine = decisions[(decisions["model"] == row.model) & (decisions["method"] == row.method)]
        if (mine["attention_is"] == "independent").any():
            yield "a map that must depend on the decision: this one doesn't"
    if section.units["seed"].nunique() == 1:
        yield "more training seeds (`--seeds 0,1,2`)"
    yield ("more images or trainings; `xaibench power --run` computes how many a difference needs")
