"""``metrics.md``: the whole definition of every metric."""

from docstrings import escape

from xaibench.core.definition import define
from xaibench.core.markdown import markdown_table
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind, plugins

_INTRO = """# Metrics

Each metric defines itself; the same text is in every report and is printed by
`xaibench metrics NAME`, with options such as `iou[threshold=0.3]` taken into account. Undefined is
NaN and counted, never 0."""
_FAMILIES = ("localization", "faithfulness", "complexity")


def metric_page() -> str:
    """Return the page."""
    known = [bind("metric", name) for name in plugins("metric")]
    parts = [_INTRO]
    for family in _FAMILIES:
        members = [metric for metric in known if metric.plugin.traits.family == family]
        rows = [
            [f"[`{each.spec}`](#{each.spec})", _arrow(each), each.plugin.summary]
            for each in members
        ]
        parts += [
            f"## {family.capitalize()}",
            markdown_table(["name", "", "measures"], rows, links=True),
        ]
        parts += [part for metric in members for part in _section(metric)]
    return "\n\n".join(parts) + "\n"


def _section(metric: Bound) -> list[str]:
    entries = define(metric)
    measures, notes, options = (entries.pop(name) for name in ("measures", "notes", "options"))
    entries["needs"] = ", ".join(f"`{word}`" for word in entries["needs"].split(", "))
    rows = [[name, text.replace("*", "\\*")] for name, text in entries.items()]
    if options != "none":
        rows += [["option", _option(line)] for line in options.split("\n")]
    paragraphs = [measures, "" if notes == "none" else notes]
    parts = [escape(text) for text in paragraphs if text]
    return [
        f"### {metric.spec}",
        *parts,
        markdown_table(["entry", _arrow(metric)], rows, links=True),
    ]


def _option(line: str) -> str:
    setting, colon, meaning = line.partition(": ")
    return f"`{setting}`{colon}{meaning}"


def _arrow(metric: Bound) -> str:
    return "↑" if metric.higher_is_better else "↓"
