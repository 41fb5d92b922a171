"""Whether metrics agree about the order of rows, and which rows can't differ."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from xaibench.report.facts.section import Section
from xaibench.report.facts.traits import header, headlines
from xaibench.report.judging.judge import Judged
from xaibench.results.records import RunRecord
from xaibench.stats.ranks import kendall_tau

COLUMNS = ["dataset", "split", "first", "second", "tau", "rows"]
FEWEST_ROWS = 3
# Rounding breaks ties between pixels otherwise, which moves insertion and deletion by a few 1e-4;
# methods that differ in kind are apart by more on some image.
_SAME = 1e-3


def agreement(section: Section, run: RunRecord, judged: Mapping[str, Judged]) -> pd.DataFrame:
    """Return Kendall's tau for each pair of ranked metrics, over the rows that compete.

    1: the same order, from best to worst; -1: the opposite one; NaN where fewer than three rows
    have both, or all have the same value of one.

    Returns:
        Columns dataset, split, first, second, tau, rows.
    """
    oriented = {
        metric: traits.sign * judged[metric].mean[section.ranked]
        for metric, traits in run.metrics.items()
        if traits.ranked
    }
    lines = []
    for first, second in combinations(oriented, 2):
        count = int((~np.isnan(oriented[first] + oriented[second])).sum())
        tau = kendall_tau(oriented[first], oriented[second]) if count >= FEWEST_ROWS else np.nan
        lines.append((section.dataset, section.split, first, second, tau, count))
    return pd.DataFrame(lines, columns=COLUMNS)


def agreement_lines(
    found: pd.DataFrame, run: RunRecord
) -> tuple[list[str], list[list[str]]] | None:
    """Return header and lines of a short table: each metric against the first of each family.

    None where no tau is defined.
    """
    known = found.dropna(subset="tau")
    if known.empty:
        return None
    tau = {frozenset(pair): t for *pair, t in known[["first", "second", "tau"]].to_numpy()}
    heads = [name for name in headlines(run) if any(name in pair for pair in tau)]
    names = [name for name in run.metrics if any(name in pair for pair in tau)]
    lines = []
    for name in names:
        values = [tau.get(frozenset((name, head))) for head in heads]
        lines.append([name, *("" if value is None else f"{value:.2f}" for value in values)])
    return ["metric", *(header(run, head) for head in heads)], lines


def identical_rows(section: Section) -> list[tuple[str, list[str]]]:
    """Return (model, methods) that have the same score, but for rounding, on every image."""
    found: list[list[int]] = []
    table = np.concatenate(list(section.values.values()))
    for place in section.ranked:
        for alike in found:
            first = alike[0]
            if section.rows[first].model == section.rows[place].model and np.allclose(
                table[:, first], table[:, place], rtol=0, atol=_SAME, equal_nan=True
            ):
                alike.append(place)
                break
        else:
            found.append([place])
    return [
        (section.rows[alike[0]].model, [section.rows[place].method for place in alike])
        for alike in found
        if len(alike) > 1
    ]
