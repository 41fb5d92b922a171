"""Accuracy against attention: what both together allow one to conclude of a model and a method.

The scheme is that of the study of attention on skin ultrasound: accuracy high or low, attention
right or wrong. What the images don't tell is neither.
"""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd

from xaibench.core.markdown import markdown_table
from xaibench.report.facts.dependence import INDEPENDENT, changes_by_row, smaller_change
from xaibench.report.facts.material import Material
from xaibench.report.facts.section import Section, mean
from xaibench.report.facts.traits import metrics_of
from xaibench.report.judging.blind import beside_blind
from xaibench.report.judging.tested import LEVEL
from xaibench.report.numbers import number, span
from xaibench.results.records import RunRecord
from xaibench.stats.clusters import merge_folds
from xaibench.stats.rates import wilson

Accuracy = Literal["high", "low", "not shown"]
Attention = Literal["right", "wrong", "not shown", "independent", "not measured"]

_COLUMNS = [
    *("dataset", "split", "model", "method", "groups", "accuracy", "accuracy_low"),
    *("accuracy_high", "commonest_class", "accuracy_is", "metric", "value", "control"),
    *("control_value", "p", "dependence", "attention_is", "conclusion"),
]
_GRADED, _USUAL = "hit_rate_graded", "iou"
_CONCLUSIONS: dict[tuple[Accuracy, Attention], str] = {
    ("high", "right"): "can be trusted, as far as these images go",
    ("high", "wrong"): "right for other reasons: look for shortcuts",
    ("high", "not shown"): "right, but not shown to look at the evidence: look for shortcuts",
    ("low", "right"): "looks at the right place: more data, or a better classifier",
    ("low", "wrong"): "unusable",
    ("low", "not shown"): "unusable: classifies worse than blindly, and is not shown to look at "
    "the evidence",
    ("not shown", "right"): "looks at the right place, but is not shown to classify: more data, or "
    "a better classifier",
    ("not shown", "wrong"): "unusable as far as is shown: looks elsewhere, and is not shown to "
    "classify",
    ("high", "independent"): "classifies well; this map doesn't depend on the decision, and says "
    "nothing of its reasons",
    ("low", "independent"): "unusable: classifies worse than blindly; this map doesn't depend on "
    "the decision",
    ("not shown", "independent"): "not shown to classify; this map doesn't depend on the decision, "
    "and says nothing of its reasons",
    ("high", "not measured"): "classifies well; whether this learned map depends on the decision "
    "was not measured",
    ("low", "not measured"): "unusable: classifies worse than blindly; whether this learned map "
    "depends on the decision was not measured",
    ("not shown", "not measured"): "not shown to classify; whether this learned map depends on the "
    "decision was not measured",
    ("not shown", "not shown"): "nothing is shown: test on more images, or train better",
}


def conclude(accuracy: Accuracy, attention: Attention) -> str:
    """Return what accuracy and attention together say, in plain words.

    >>> conclude("high", "wrong")
    'right for other reasons: look for shortcuts'
    """
    return _CONCLUSIONS[accuracy, attention]


def judge_accuracy(low: float, high: float, commonest: float) -> Accuracy:
    """Tell whether an interval of the accuracy lies above or below always answering one class."""
    if low > commonest:
        return "high"
    return "low" if high < commonest else "not shown"


def judge_attention(
    gain: float, p: float, dependence: float = np.nan, *, learned: bool = False
) -> Attention:
    """Tell whether maps are better or worse than a blind control's, by the gain and its test.

    A map that stays the same whatever the network decides is no evidence, wherever it lies; a map
    learned from annotations must be known to change.
    """
    if dependence < INDEPENDENT:
        return "independent"
    if learned and np.isnan(dependence):
        return "not measured"
    if not p < LEVEL:  # nan is no evidence
        return "not shown"
    return "right" if gain > 0 else "wrong"


def decisions(section: Section, material: Material) -> pd.DataFrame:
    """Return one row for each model that classifies and method that competes.

    Accuracy is high where Wilson's interval of it lies above the share of the commonest class:
    over images, folds and seeds, and as wide as if each independent group were one case.
    Attention is right where the row is significantly better than its model's best blind control,
    wrong where it is significantly worse, by the board's own paired test with Holm's correction.
    Maps whose dependence on the decision is below `INDEPENDENT` are no evidence.

    Columns: the keys; ``groups``, ``accuracy`` with its ends, ``commonest_class``, a share, and
    ``accuracy_is``; ``metric``, ``value``, the ``control`` with its value, ``p``, ``dependence``
    and ``attention_is``; ``conclusion``. No rows without predictions or without a metric of
    localization, nor where images may show several classes.
    """
    run, metric = material.run, _metric(section, material.run)
    if run.several_labels:  # no share of a commonest class tells what accuracy is worth
        return pd.DataFrame(columns=_COLUMNS)
    models = {row.model for row in section.rows}
    known = {model: _accuracy(section, material, model) for model in models}
    if metric is None:
        return pd.DataFrame(columns=_COLUMNS)
    compared, found = beside_blind(section, run, metric), mean(section.values[metric])
    changes = changes_by_row(material.costs)
    rows: list[dict[str, Any]] = []
    for place in section.ranked:
        row, value = section.rows[place], float(found[place])
        blind, gain, p = compared.get(place, (None, np.nan, np.nan))
        if not known[row.model] or np.isnan(value):
            continue
        level = np.nan if blind is None else float(found[blind])
        key = (section.dataset, section.split, row.model, row.method)
        dependence = smaller_change(changes.get(key, {}))
        attention = judge_attention(gain, p, dependence, learned=row.kind == "learned")
        rows.append(
            {
                "dataset": section.dataset,
                "split": section.split,
                "model": row.model,
                "method": row.method,
                **known[row.model],
                "metric": metric,
                "value": value,
                "control": "" if blind is None else section.rows[blind].method,
                "control_value": level,
                "p": p,
                "dependence": dependence,
                "attention_is": attention,
                "conclusion": conclude(known[row.model]["accuracy_is"], attention),
            }
        )
    return pd.DataFrame(rows, columns=_COLUMNS)


def decisions_to_markdown(table: pd.DataFrame) -> Iterator[str]:
    """Yield the section's paragraphs, methods of one model and one conclusion in one line."""
    if table.empty:
        return
    metric = table["metric"].iloc[0]
    yield "### Accuracy and attention"
    yield (
        "The decision scheme of the skin ultrasound study. Accuracy is high where its whole 95 % "
        "interval lies above always answering the commonest class, low where it lies below; "
        f"attention is right where `{metric}` is significantly better than that of the model's "
        "best blind control, wrong where it is significantly worse. What neither holds for is not "
        f"shown. A map whose dependence on the decision is below {INDEPENDENT} is independent of "
        "it, and is no evidence of it, wherever it lies. The accuracy's interval counts images "
        "that belong together as one, so that it may be wider than under Classification. All "
        "values are in decisions.csv."
    )
    lines: list[list[str]] = []
    keys = ["model", "accuracy_is", "attention_is", "conclusion"]
    for (model, accuracy, attention, conclusion), rows in table.groupby(keys, sort=False):
        first = rows.iloc[0]
        ends = span(first["accuracy_low"], first["accuracy_high"])
        said = f"{accuracy}: {number(first['accuracy'])} {ends}, commonest class"
        methods = ", ".join(f"`{method}`" for method in rows["method"])
        share = number(first["commonest_class"])
        lines.append([str(model), f"{said} {share}", str(attention), methods, str(conclusion)])
    yield markdown_table(["model", "accuracy", "attention", "methods", "conclusion"], lines)


def _metric(section: Section, run: RunRecord) -> str | None:
    """Choose what tells attention: the usual one, or for layered masks the graded hit."""
    names = {
        name: name.partition("[")[0]
        for name in metrics_of(run, "localization", ranked=True)
        if not np.isnan(section.values[name]).all()
    }
    for name in (name for name, plain in names.items() if plain == _GRADED):
        values = section.values[name]
        if np.nanmax(values) > 1 or np.nanmin(values) < 0:  # binary masks have grades 0 and 1 only
            return name
    return next((name for name, plain in names.items() if plain == _USUAL), next(iter(names), None))


def _accuracy(section: Section, material: Material, model: str) -> dict[str, Any]:
    """Return a model's accuracy over images, folds and seeds; empty where it predicts nothing."""
    table = material.predictions
    here = (table["dataset"] == section.dataset) & (table["split"] == section.split)
    mine = table[here & (table["model"] == model) & table["prediction"].notna()]
    if mine.empty:
        return {}
    keys = [material.groups.get((section.dataset, name), f"\0{name}") for name in mine["sample"]]
    folds, _ = merge_folds(mine["sample"], mine["fold"], mine["seed"])
    groups = pd.DataFrame({"fold": folds, "group": keys}).drop_duplicates().shape[0]
    share = float((mine["label"] == mine["prediction"]).mean())
    commonest = float(mine["label"].value_counts(normalize=True).max())
    low, high = wilson(share * groups, groups)
    return {
        "groups": groups,
        "accuracy": share,
        "accuracy_low": low,
        "accuracy_high": high,
        "commonest_class": commonest,
        "accuracy_is": judge_accuracy(low, high, commonest),
    }
