"""All rules on all that a plugin can be tried on: what `xaibench check` prints."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from xaibench.checks import (
    analysis_rules,
    dataset_rules,
    fit_rules,
    method_rules,
    metric_rules,
    model_rules,
    plugin_rules,
    repeat_rules,
    tidy_rules,
)
from xaibench.checks.analysis_trial import AnalysisTrial
from xaibench.checks.dataset_trial import DatasetTrial
from xaibench.checks.figures import (
    SIDE,
    analysis_figures,
    dataset_figures,
    method_figures,
    metric_figures,
    model_figures,
)
from xaibench.checks.method_trial import MethodTrial
from xaibench.checks.metric_trial import MetricTrial
from xaibench.checks.model_trial import ModelTrial
from xaibench.checks.networks import CLASSES, NETWORKS, SIZE, make_network
from xaibench.checks.rule import Rule, RuleResult, Status, apply_all, describe
from xaibench.core.contract import KINDS
from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind, find_plugin, load_plugin_file, plugins
from xaibench.core.spec import parse_spec
from xaibench.core.suggest import did_you_mean
from xaibench.setup.building import missing_word

# What can be told without running the plugin is before what can't.
RULES: dict[str, list[Rule]] = {
    "dataset": [*plugin_rules.RULES, *dataset_rules.RULES],
    "model": [*plugin_rules.RULES, *model_rules.RULES],
    "method": [
        *plugin_rules.RULES,
        *fit_rules.RULES,
        *method_rules.RULES,
        *repeat_rules.RULES,
        *tidy_rules.RULES,
    ],
    "metric": [*plugin_rules.RULES, *metric_rules.RULES],
    "analysis": [*plugin_rules.RULES, *analysis_rules.RULES],
}
# Counts of these names say how long a method takes, and nothing about its rules.
_COSTLY, _CHEAP = frozenset({"masks", "samples", "steps", "segments", "epochs"}), 12
_SIGNS = {"ok": "ok", "fails": "FAILS", "doubtful": "note", "skipped": "-"}
_WORST_FIRST: Sequence[Status] = ("fails", "doubtful", "ok", "skipped")


@dataclass(frozen=True)
class Report:
    """What came of a plugin's check: one finding for each rule, and what it costs."""

    bound: Bound
    tried: str
    findings: Sequence[RuleResult]
    cost: str

    @property
    def broken(self) -> int:
        """Number of broken rules."""
        return sum(finding.status == "fails" for finding in self.findings)

    def lines(self) -> Iterator[str]:
        """Say it, one line for each rule."""
        yield f"{self.bound.plugin.kind} {self.bound.spec}, on {self.tried}"
        for finding in self.findings:
            why = f": {finding.why}" if finding.why else ""
            yield f"  {_SIGNS[finding.status]:6} {finding.rule.title}{why}"
        yield f"  {'cost':6} {self.cost}"


def find(plugin: str, kind: str | None = None) -> list[Bound]:
    """Return what is to be checked: all plugins of a file, or the one of that spec.

    Raises:
        XaibenchError: there is none, or several kinds have one of that name.
    """
    kinds = [kind] if kind else list(KINDS)
    path = Path(plugin)
    if path.suffix == ".py" or path.is_file():
        load_plugin_file(path)
        known = [each for name in kinds for each in plugins(name).values()]
        found = [Bound(each, {}) for each in known if each.file.resolve() == path.resolve()]
        if not found:
            raise XaibenchError(f"{path}: it holds no {kind or 'plugin of its own'}.")
        return found
    name, _ = parse_spec(plugin)
    holders = [each for each in kinds if find_plugin(each, name)]
    if not holders:
        everything = [known for each in kinds for known in plugins(each)]
        raise XaibenchError(
            f"there is no {kind or 'plugin'} '{name}'{did_you_mean(name, everything)}; "
            "name one that `xaibench list` shows, or a Python file."
        )
    if len(holders) > 1:
        raise XaibenchError(f"'{name}' is a {' and a '.join(holders)}; choose one with --kind.")
    return [bind(holders[0], plugin)]


def check_plugin(bound: Bound, classes: int = CLASSES) -> Report:
    """Try all rules wherever the plugin can be tried, and measure what it costs.

    Args:
        bound: the plugin.
        classes: number of classes that a model is built for.
    """
    trials = list(trials_of(bound, classes))
    if not trials:
        words = ", ".join(bound.plugin.signature.words)
        raise XaibenchError(
            f"{bound.spec}: no network here serves all of {words}; add one that does."
        )
    findings = judge_plugin(bound.plugin.kind, trials)
    sound = all(finding.status == "ok" for finding in findings if finding.rule.gate)
    cost = _measure(bound, trials[0]) if sound else "not measured"
    tried = _listed([trial.label for trial in trials])
    shorter = kept_short(bound).spec
    note = f" (the rules with {shorter})" if shorter != bound.spec else ""
    return Report(bound, tried + note, findings, cost)


def judge_plugin(kind: str, trials: Sequence[Any]) -> list[RuleResult]:
    """Return one finding for each rule of a kind: the worst of all trials."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the networks are too small to share out
    try:
        found = [apply_all(RULES[kind], trial) for trial in trials]
    finally:
        torch.set_num_threads(threads)
    return [
        _sum_up(each, trials, of_all) for each, *of_all in zip(RULES[kind], *found, strict=True)
    ]


def trials_of(bound: Bound, classes: int = CLASSES) -> Iterator[Any]:
    """Yield what a plugin is tried on: a method on each network that serves it, others once."""
    if bound.plugin.kind == "metric":
        yield MetricTrial(bound)
    elif bound.plugin.kind == "model":
        yield ModelTrial(bound, classes)
    elif bound.plugin.kind == "dataset":
        yield DatasetTrial(bound)
    elif bound.plugin.kind == "analysis":
        yield AnalysisTrial(bound)
    else:
        blank = torch.zeros(1, 3, *SIZE)
        for network in NETWORKS:
            if missing_word(bound, make_network(network), blank) is None:
                yield MethodTrial(kept_short(bound), network)


def kept_short(bound: Bound) -> Bound:
    """Return a method that does the same with fewer samples; what was asked for stays."""
    if bound.plugin.kind != "method":
        return bound
    options = bound.plugin.options
    fewer = {
        name: _CHEAP
        for name, option in options.items()
        if name in _COSTLY and isinstance(option.default, int) and option.default > _CHEAP
    }
    return Bound(bound.plugin, {**fewer, **bound.options})


def _sum_up(each: Rule, trials: Sequence[Any], found: Sequence[RuleResult]) -> RuleResult:
    statuses = [finding.status for finding in found]
    if each.anywhere and "ok" in statuses:
        return RuleResult(each, "ok")
    worst = min(statuses, key=_WORST_FIRST.index)
    number = statuses.index(worst)
    # Where it holds elsewhere the place is part of what is wrong.
    partly = worst in ("fails", "doubtful") and statuses.count(worst) < len(statuses)
    place = f"on {trials[number].label} " if partly else ""
    return RuleResult(each, worst, place + found[number].why)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _measure(bound: Bound, trial: Any) -> str:
    try:
        if isinstance(trial, MethodTrial):
            return f"{method_figures(bound, trial)}, {trial.label}"
        if isinstance(trial, MetricTrial):
            return str(metric_figures(bound))
        if isinstance(trial, ModelTrial):
            model = trial.build(side=SIDE)
            count = sum(p.numel() for p in model.parameters())
            return f"{model_figures(model)}, {count:,} parameters"
        if isinstance(trial, DatasetTrial):
            return str(dataset_figures(trial.dataset))
        return str(analysis_figures(bound))
    except Exception as error:  # what serves small images may fail for larger ones
        return f"not measured: {describe(error, bound.plugin)}"
