"""What a rule is, and what comes of trying it."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xaibench.core.errors import Unsupported, XaibenchError
from xaibench.core.plugin import Plugin

Status = Literal["ok", "fails", "doubtful", "skipped"]


class Broken(Exception):  # noqa: N818 (a finding, not an error of ours)
    """A rule is broken: the message says what is wrong and what to do about it."""


class Doubtful(Exception):  # noqa: N818
    """Nothing is broken, but this is seldom meant."""


class Skipped(Exception):  # noqa: N818
    """The rule says nothing about this plugin, or can't be tried here."""


@dataclass(frozen=True)
class Rule:
    """A rule of the contract.

    Attributes:
        title: what holds where the rule is kept, in a few words.
        look: takes a trial and returns if the rule is kept, else raises one of the above.
        gate: the rules behind it mean nothing where this one is broken.
        anywhere: it is kept if it is kept in one of several trials.
    """

    title: str
    look: Callable[[Any], None]
    gate: bool = False
    anywhere: bool = False


@dataclass(frozen=True)
class RuleResult:
    """What came of a rule in one trial."""

    rule: Rule
    status: Status
    why: str = ""


Look = Callable[[Any], None]


def rule(
    rules: list[Rule], title: str, *, gate: bool = False, anywhere: bool = False
) -> Callable[[Look], Look]:
    """Add a function to a file's rules, which are tried in their order."""

    def add(look: Look) -> Look:
        rules.append(Rule(title, look, gate, anywhere))
        return look

    return add


def apply(each: Rule, trial: Any) -> RuleResult:
    """Try one rule; whatever the plugin raises on the way breaks it."""
    try:
        each.look(trial)
    except Broken as error:
        return RuleResult(each, "fails", str(error))
    except Doubtful as error:
        return RuleResult(each, "doubtful", str(error))
    except (Skipped, Unsupported) as error:
        return RuleResult(each, "skipped", str(error))
    except Exception as error:  # a plugin may raise anything
        return RuleResult(each, "fails", describe(error, trial.plugin))
    return RuleResult(each, "ok")


def apply_all(rules: Sequence[Rule], trial: Any) -> list[RuleResult]:
    """Try rules in order; behind a broken gate they are skipped."""
    findings: list[RuleResult] = []
    closed = ""
    for each in rules:
        found = RuleResult(each, "skipped", closed) if closed else apply(each, trial)
        findings.append(found)
        if each.gate and found.status in ("fails", "skipped") and not closed:
            closed = "not tried" if found.status == "skipped" else f"fix '{each.title}' first"
    return findings


def describe(error: Exception, plugin: Plugin) -> str:
    """Say what a plugin raised, and at which of its own lines."""
    if isinstance(error, XaibenchError):
        return str(error)
    said = str(error).strip().split("\n")[0].rstrip(".")
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == plugin.file]
    place = f" ({plugin.file.name}:{lines[-1]})" if lines else ""
    return f"it raises {type(error).__name__}: {said}{place}; fix that."


def asked_for(error: Exception, plugin: Plugin) -> str:
    """Say what a plugin that raised had been given."""
    given = "".join(getattr(error, "__notes__", [])) or ", ".join(plugin.signature.words)
    return f"It asked for {given or 'nothing'}."
