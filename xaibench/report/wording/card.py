"""The card of a submission: what was scored, by which protocol, at what cost, and its checksums."""

from collections.abc import Iterator, Mapping, Sequence
from math import isnan

from xaibench.core.markdown import markdown_table, plain
from xaibench.core.visible import visible
from xaibench.report.facts.traits import header, headlines
from xaibench.report.judging.estimates import BoardRow
from xaibench.report.numbers import number, with_interval
from xaibench.results.records import RunRecord

_COSTS = (
    ("seconds_per_image", "seconds per map"),
    ("forwards_per_image", "forward passes per map"),
    ("peak_memory_mb", "peak memory, MB"),
)


def card_to_markdown(
    names: Sequence[str], rows: Sequence[BoardRow], run: RunRecord, sums: Mapping[str, str]
) -> str:
    """Write the card of submitted methods.

    Args:
        names: of the methods.
        rows: of the board.
        run: ``run.json``.
        sums: sha256 of what was handed in and of the tables, by name.
    """
    own = [row for row in rows if row.method in names]
    return "\n\n".join(_card(names, own, run, sums)) + "\n"


def _card(
    names: Sequence[str], rows: Sequence[BoardRow], run: RunRecord, sums: Mapping[str, str]
) -> Iterator[str]:
    yield f"# Submission: {plain(', '.join(names))}"
    said = [
        ("method", ", ".join(names)),
        ("network", ", ".join(dict.fromkeys(row.model for row in rows if row.model)) or "unstated"),
        ("data", run.dataset),
        ("split", str(run.protocol.get("split", ""))),
        ("protocol", run.protocol_hash),
        ("learned from", ", ".join(dict.fromkeys(row.learned_from for row in rows))),
        ("made", run.date.partition("T")[0]),
        ("xaibench", run.xaibench),
    ]
    yield markdown_table(["what", "value"], [list(pair) for pair in said if pair[1]])
    yield "## Scores"
    metrics = [metric for metric in headlines(run) if all(metric in r.estimates for r in rows)]
    lines = [[row.method, row.model, *(_score(row, m) for m in metrics)] for row in rows]
    yield markdown_table(["method", "network", *(header(run, m) for m in metrics)], lines)
    yield "## Compute"
    told = [[key, str(value)] for key, value in run.compute.items() if value is not None]
    for row in rows:
        costs = [(words, row.cost(name)) for name, words in _COSTS]
        told += [
            [
                f"{row.method} on {row.model}: {words}" if row.model else f"{row.method}: {words}",
                number(cost),
            ]
            for words, cost in costs
            if not isnan(cost)
        ]
    yield markdown_table(["what", "value"], told) if told else "Not measured."
    yield "## Files"
    yield markdown_table(["file", "sha256"], [[name, digest] for name, digest in sums.items()])
    yield "Repeat it:"
    yield f"    {visible(' '.join(run.command.split()))}"


def _score(row: BoardRow, metric: str) -> str:
    found = row.estimates[metric]
    return with_interval(found.value, found.low, found.high)
