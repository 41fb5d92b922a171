"""What a study allows one to say, in plain words."""

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from xaibench.report.facts.section import Section
from xaibench.report.judging.comparisons import TREND
from xaibench.report.judging.tested import LEVEL
from xaibench.report.numbers import p_text, span
from xaibench.report.wording.scope import NO_SETS, OVER_SETS, trainings

Row = dict[Hashable, Any]


def answers(table: pd.DataFrame, section: Section) -> Iterator[str]:
    """Yield Markdown sentences on each metric and method, and on how far they carry.

    Args:
        table: from `compare_arms`.
        section: what it was made from.
    """
    for (metric, method), lines in table.groupby(["metric", "method"], sort=False):
        what = f"**{metric}**" if not method else f"**{metric} of {method}**"
        factors = lines[lines["kind"] == "factor"]
        if len(factors):
            yield f"{what}: {_factors(factors)}."
            continue
        for kind, say in ((TREND, _trend), ("arm", _arms)):
            for series, mine in lines[lines["kind"] == kind].groupby("series", sort=False):
                if said := say(mine[mine["difference"].notna()].to_dict("records")):
                    yield f"{what}, `{series}`: {said}."
    known = section.training_sets is not None
    yield f"{trainings(section)} {f'{OVER_SETS}: {_over_sets(table)}.' if known else NO_SETS}"


def change(line: Row) -> str:
    """Write a difference and its interval."""
    ends = span(line["difference_low"], line["difference_high"])
    # A small negative difference would be written as -0.000.
    return f"{round(line['difference'], 3) + 0.0:+.3f} {ends}".strip()


def _over_sets(table: pd.DataFrame) -> str:
    """Say which of the significant differences are so over new training sets, too."""
    shown = table[table["p_holm"] < LEVEL]
    held = shown[shown["p_holm_training_sets"] < LEVEL].to_dict("records")
    told = f"{len(held)} of {len(shown)} significant differences and trends remain"
    names = [
        f"{line['metric']}{' of ' if line['method'] else ''}{line['method']}, `{line['series']}`, "
        f"{line['level']} ({_span_over_sets(line)})"
        for line in held
    ]
    return f"{told}: {'; '.join(names)}" if names else told


def _span_over_sets(line: Row) -> str:
    ends = (line[f"difference_{end}_training_sets"] for end in ("low", "high"))
    return f"{line['difference']:+.3f} {span(*ends)}"


def _trend(lines: list[Row]) -> str:
    if not lines:
        return ""
    (line,) = lines
    seen = f"{change(line)} from {line['level']} on a straight line through the levels"
    if line["p_holm"] < LEVEL:
        return f"{seen}, a trend ({p_text(line['p_holm'])})"
    return f"{seen}: no trend is shown ({p_text(line['p_holm'])}{_needed([line])})"


def _arms(lines: list[Row]) -> str:
    said = []
    for against in dict.fromkeys(line["against"] for line in lines):
        mine = [line for line in lines if line["against"] == against]
        apart = [line for line in mine if line["p_holm"] < LEVEL]
        tied = [line for line in mine if not line["p_holm"] < LEVEL]
        found = []
        for word, sign in (("higher", 1), ("lower", -1)):
            chosen = [line for line in apart if sign * line["difference"] > 0]
            if chosen:
                names = ", ".join(f"{line['level']} ({change(line)})" for line in chosen)
                found.append(f"{word} at {names}")
        if tied:
            names = ", ".join(line["level"] for line in tied)
            found.append(f"not significantly different at {names}{_needed(tied)}")
        said.append(f"against {against}, {'; '.join(found)}")
    return "; ".join(said)


def _factors(lines: pd.DataFrame) -> str:
    """Name each factor's level that lies furthest from its first one, the largest effect first."""
    largest = [
        max(mine.to_dict("records"), key=lambda line: abs(line["difference"]))
        for _, mine in lines.dropna(subset="difference").groupby("series", sort=False)
    ]
    largest.sort(key=lambda line: -abs(line["difference"]))
    apart = [line for line in largest if line["p_holm"] < LEVEL]
    tied = [line for line in largest if not line["p_holm"] < LEVEL]
    said = [
        f"{'most' if place == 0 else 'then'} on `{line['series']}` ({line['level']} against "
        f"{line['against']} {change(line)}, {p_text(line['p_holm'])})"
        for place, line in enumerate(apart)
    ]
    found = [f"depends {', '.join(said)}"] if said else []
    found += [
        f"no effect of `{line['series']}` is shown ({line['level']} against {line['against']} "
        f"{change(line)}, {p_text(line['p_holm'])}{_needed([line])})"
        for line in tied
    ]
    return "; ".join(found)


def _needed(lines: list[Row]) -> str:
    """Say how many images there were, and what difference they would have shown."""
    reach = np.array([line["detectable"] for line in lines])
    count = max(line["n"] for line in lines)
    if np.isnan(reach).all():
        return f" with n = {count}"
    return f" with n = {count}; minimum detectable difference (80 % power) {np.nanmax(reach):.2g}"
