"""The supervision frontier in words: what annotation buys, and from how much of it on."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np

from xaibench.core.markdown import markdown_table
from xaibench.core.supervision import in_words
from xaibench.report.judging.frontier import Frontier
from xaibench.report.numbers import number, with_interval

Line = dict[Hashable, Any]
ABOUT = """\
- Minutes are what the annotation of training and validation images takes: a label of each image, \
and a point, box or mask of those whose annotation may be seen, at the seconds for a unit below.
- On the front: no other row is as cheap and as good; beside it the share of draws of images and \
trainings in which that holds.
- A budget curve is c - a n^-b over n annotated images, fitted by least squares; a falling one is \
flat. It is fitted to each draw anew, and so is the best post-hoc row that it must overtake; the \
interval holds the middle 95 % of the crossings. Budgets beyond those tried are extrapolated.
- Held out: each budget is predicted from the others; right where the 95 % interval of what is \
missed holds 0."""


def crossings_in_words(found: Frontier) -> Iterator[str]:
    """Yield for each budget curve from how many masks on learned overtakes post-hoc."""
    for line in found.curves.to_dict("records"):
        what = f"**{found.metric}**, `{line['method']}` on `{line['model']}`"
        against = f"the best post-hoc row, {line['reference']} ({number(line['reference_value'])})"
        yield f"{what}: {_crossing(line)} {against}{_interval(line)}.{_held_out(line)}"


def frontier_to_markdown(found: Frontier, seconds: Mapping[str, float]) -> Iterator[str]:
    """Yield the section of a study's document."""
    yield f"## What annotation buys, by {found.metric}"
    ordered = found.rows.sort_values(["minutes", "value"]).to_dict("records")
    header = ["method", "network", "learned from", "annotated", "minutes", found.metric, "on front"]
    yield markdown_table(header, [_line(line) for line in ordered])
    if len(found.curves):
        yield "Budget curves:"
        header = ["method", "network", "c", "a", "b", "overtakes at", "95 % interval", "held out"]
        lines = [_curve(line) for line in found.curves.to_dict("records")]
        yield markdown_table(header, lines)
    units = ", ".join(f"{name} {value:g}" for name, value in seconds.items())
    yield f"{ABOUT}\n- Seconds for a unit: {units} (`--effort`)."


def _line(line: Line) -> list[str]:
    front = f"{'yes' if line['on_front'] else 'no'} ({line['front_share']:.0%})"
    value = with_interval(line["value"], line["low"], line["high"])
    learned = in_words(line["supervision"], line["share"])
    count, minutes = f"{line['annotated']:.0f}", f"{line['minutes']:.0f}"
    return [line["method"], line["model"], learned, count, minutes, value, front]


def _curve(line: Line) -> list[str]:
    numbers = [number(line[name]) for name in ("ceiling", "scale", "power")]
    ends = f"{_count(line['overtakes_low'])} to {_count(line['overtakes_high'])}"
    held = f"{line['held_in']} of {line['held_out']} right" if line["held_out"] else ""
    at = _count(line["overtakes_at"])
    return [line["method"], line["model"], *numbers, at, ends, held]


def _crossing(line: Line) -> str:
    at = line["overtakes_at"]
    if np.isinf(at):
        return (
            f"up to {line['most']:.0f} annotated images, and by its curve with any, it stays below"
        )
    if at <= line["fewest"]:
        return f"with the fewest annotated images tried, {line['fewest']:.0f}, it has overtaken"
    beyond = " (extrapolated)" if at > line["most"] else ""
    return f"from about {at:.0f} annotated images on{beyond} it overtakes"


def _interval(line: Line) -> str:
    low, high = line["overtakes_low"], line["overtakes_high"]
    if np.isinf(low):
        return " in nearly all draws"
    if high <= line["fewest"]:
        return ", in nearly all draws"
    return f" [{_count(low)} to {_count(high)}]"


def _held_out(line: Line) -> str:
    if not line["held_out"]:
        return ""
    return (
        f" Each budget predicted from the others: {line['held_in']} of {line['held_out']} rightly, "
        f"{number(line['held_error'])} off on average."
    )


def _count(value: float) -> str:
    return "never" if np.isinf(value) else f"{value:.0f}"
