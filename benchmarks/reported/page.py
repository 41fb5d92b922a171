"""The page that sets our figures beside the reported ones."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import isnan

from entries import SYSTEMS, Entry
from verdicts import Kind, Verdict

from xaibench.core.markdown import markdown_table

_NONE = "—"
_HEADER = ("figure", "of", "n", "reported", "ours", "verdict", "suite")
_TITLES = {
    "1": "System 1: saliency-aware classification (BUSI, birds)",
    "2": "System 2: CAM on a small network (Dogs vs Cats)",
    "3": "System 3: attention of CNNs on skin ultrasound",
    "4": "System 4: features, segmentation, reconstruction",
    "5": "System 5: pneumonia in chest X-rays",
    "papers": "Reference figures from papers",
    "protocol": "What trivial rows reach on BUSI",
}
_LEAD = """\
# Reported figures beside ours

Five earlier projects reported the figures below from single runs without seeds. The page is made
from [`reported.csv`](reported.csv) and from runs of ours, never by hand:

```sh
python benchmarks/reported             # the runs in results/published
python benchmarks/reported results     # and your own
```

## How to read it

- **reported**: as printed, with the count that gives it and Wilson's 95 % interval where it is a
  rate of known n (wilson1927). Where no k/n gives the printed figure, the cell says so. ≈ is
  where the report rounds.
- **ours**: of the named suite's run, with n test images: Wilson's interval for rates, a bootstrap's
  over groups and seeds for others, the board's own for metrics. Folds are pooled; of several seeds
  the mean counts.
- **reproduced**: our value lies in the reported interval, or the reported value in ours; either
  way the two overlap. A figure without an interval counts as whatever its printed digits leave
  open. With few images this is easy: an interval of 30 is about 20 points wide.
- **not reproduced**: the setting is the same, and neither value lies in the other's interval.
- **not the same setting**: a run there is, but of a quick profile, with options that differ from
  the report's or the suite's, or with less than a third or more than three times as many test
  images; or of another suite, on the data and the weights that could be had. Both values are there
  and nothing is concluded.
- **held by a test**: a property of the code, and the test suite checks it.
- **told by a command of its own**: the answer is a table or a picture, not one figure.
- **not run**: nothing of ours to show; why is below the table. Nothing here is estimated."""


def write_page(entries: Sequence[Entry], verdicts: Sequence[Verdict]) -> str:
    """Write the page in Markdown: a section for each system, in the order of the entries."""
    parts = [_LEAD, _summary(entries, verdicts)]
    for system in SYSTEMS:
        chosen = [pair for pair in zip(entries, verdicts, strict=True) if pair[0].system == system]
        if chosen:
            parts += _section(_TITLES[system], chosen)
    return "\n\n".join(parts) + "\n"


def command_of(entry: Entry) -> str:
    """Return the command that repeats an entry; empty where there is none."""
    if entry.command or not entry.suite:
        return entry.command
    part = f" --part {entry.part}" if entry.part else ""
    return f"xaibench run --suite benchmarks/{entry.suite}.toml{part}"


def _summary(entries: Sequence[Entry], verdicts: Sequence[Verdict]) -> str:
    figures = [v.kind for e, v in zip(entries, verdicts, strict=True) if e.reported]
    counts = Counter(figures)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in Kind if counts[kind])
    items = len(entries) - len(figures)
    return f"{len(figures)} reported figures: {told}. {items} items have no reported figure."


def _section(title: str, chosen: Sequence[tuple[Entry, Verdict]]) -> Iterator[str]:
    yield f"## {title}"
    figures = [pair for pair in chosen if pair[0].reported]
    if figures:
        yield markdown_table(_HEADER, [_line(*pair) for pair in figures])
    items = [pair for pair in chosen if not pair[0].reported]
    if items:
        yield "Nothing was reported in figures of these; they run all the same:"
        lines = [[e.item, e.metric, _ours(e, v), _verdict(e, v), _part(e)] for e, v in items]
        yield markdown_table(("item", "what", "ours", "state", "suite"), lines)
    if notes := list(_notes(chosen)):
        yield "\n".join(f"- {note}." for note in dict.fromkeys(notes))
    if commands := dict.fromkeys(filter(None, (command_of(entry) for entry, _ in chosen))):
        yield "```sh\n" + "\n".join(commands) + "\n```"


def _notes(chosen: Sequence[tuple[Entry, Verdict]]) -> Iterator[str]:
    """Yield what the tables' cells are too narrow for; equal lines come more than once."""
    yield from (f"{entry.item}: {entry.note}" for entry, _ in chosen if entry.note)
    for entry, verdict in chosen:
        if _is_unrun(entry, verdict):
            yield f"Not run ({entry.suite or entry.source}): {entry.reason}"


def _is_unrun(entry: Entry, verdict: Verdict) -> bool:
    return verdict.kind is Kind.NOT_RUN and verdict.why == entry.reason


def _line(entry: Entry, verdict: Verdict) -> list[str]:
    of = ", ".join(filter(None, (entry.item, entry.dataset, entry.setting)))
    images = entry.images or (_NONE if entry.table == "test" else "?")
    cells = [entry.metric, of, images, _reported(entry), _ours(entry, verdict)]
    return [*cells, _verdict(entry, verdict), _part(entry)]


def _reported(entry: Entry) -> str:
    unit = " %" if entry.unit == "%" else ""
    counted = f" ({entry.attainable})" if entry.attainable else ""
    ends = f" [{entry.low}, {entry.high}]" if entry.low else ""
    return f"{entry.reported}{unit}{counted}{ends}"


def _ours(entry: Entry, verdict: Verdict) -> str:
    ours, digits = verdict.ours, 2 if entry.unit == "%" else 4
    if ours is None:
        return _NONE
    value, low, high = (f"{entry.scale * number:.{digits}f}" for number in ours[:3])
    unit = " %" if entry.unit == "%" else ""
    ends = "" if isnan(ours.low) else f" [{low}, {high}]"
    return f"{value}{unit}{ends}, n = {ours.images}"


def _verdict(entry: Entry, verdict: Verdict) -> str:
    if verdict.kind is Kind.HELD:
        return f"{verdict.kind}: `{entry.column}`"
    if not verdict.why or _is_unrun(entry, verdict):
        return str(verdict.kind)
    return f"{verdict.kind}: {verdict.why}"


def _part(entry: Entry) -> str:
    return " / ".join(filter(None, (entry.suite, entry.part))) or entry.source
