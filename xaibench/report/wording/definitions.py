"""What every metric's number means, from what ``run.json`` repeats of the plugins."""

from collections.abc import Iterator

from xaibench.report.wording.markdown import bullets
from xaibench.results.records import RunRecord

_NOTHING = frozenset({"", "none", "not asked for", "of no account"})


def definitions(run: RunRecord) -> Iterator[str]:
    """Yield Markdown paragraphs: what all metrics share once, then each one's own."""
    told = {name: traits.definition or {} for name, traits in run.metrics.items()}
    told = {name: entries for name, entries in told.items() if entries}
    if not told:
        return
    first = next(iter(told.values()))
    shared = {
        key: text
        for key, text in first.items()
        if len(told) > 1 and all(entries.get(key) == text for entries in told.values())
    }
    if shared:
        yield "All metrics:"
        yield bullets([f"{key}: {text}" for key, text in shared.items()])
    for name, entries in told.items():
        own = [
            f"{key}: {text.replace(chr(10), '; ')}"
            for key, text in entries.items()
            if key not in shared and text not in _NOTHING
        ]
        yield f"`{name}`"
        yield bullets(own)
