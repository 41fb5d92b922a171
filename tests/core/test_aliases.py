"""A metric is called on boards what the field calls it, and can be asked for by that."""

from dataclasses import replace

from xaibench.core.registry import bind, plugins
from xaibench.report.facts.traits import header, shown
from xaibench.results.records import MetricEntry, RunRecord

FIELD = {
    "hit_rate": "Pointing Game",
    "mass_in_mask": "Energy Pointing Game",
    "drop_in_confidence": "Average Drop",
}


def test_the_field_s_names_are_asked_for_and_mean_the_same_scores():
    for name, title in FIELD.items():
        asked = bind("metric", title.lower().replace(" ", "_"))
        assert (asked.spec, asked.first_spec) == (name, name)
        assert asked.plugin.summary.startswith(f"{title}: ")
    assert bind("metric", "pointing_game[tolerance=0.1]").spec == "hit_rate[tolerance=0.1]"


def test_boards_show_the_field_s_name_and_of_unknown_metrics_their_own():
    specs = ["hit_rate[tolerance=0.1]", "iou"]
    entries = {
        spec: MetricEntry(
            higher_is_better=True,
            family="localization",
            title=plugins("metric")[spec.partition("[")[0]].traits.title or None,
        )
        for spec in specs
    }
    run = RunRecord(classes=(), methods={}, metrics=entries)
    assert [header(run, spec) for spec in specs] == ["Pointing Game[tolerance=0.1] ↑", "IoU ↑"]
    untitled = replace(entries[specs[0]], title=None)
    before = replace(run, metrics={specs[0]: untitled, "mine[a=1]": untitled})
    assert [shown(before, spec) for spec in before.metrics] == [
        "Pointing Game[tolerance=0.1]", "mine[a=1]",
    ]  # fmt: skip
