"""Rules that plugins of every kind keep."""

from pathlib import Path
from typing import Any

from xaibench.checks.rule import Broken, Rule, Skipped, rule
from xaibench.core.bibliography import BIBLIOGRAPHY, bibliography_of, keys_of
from xaibench.core.plugin import Plugin

RULES: list[Rule] = []


@rule(RULES, "has a docstring")
def says_what_it_does(trial: Any) -> None:
    """The docstring's first line is a sentence."""
    summary = trial.plugin.summary
    if not summary:
        raise Broken("it has no docstring; say in one sentence what it does, for `xaibench list`.")
    if not summary.endswith("."):
        raise Broken(
            f"its docstring begins with '{summary}', which is no sentence of one line; end it with "
            "a full stop."
        )


@rule(RULES, "paper in the bibliography")
def names_a_known_paper(trial: Any) -> None:
    """``paper=`` is a key of the references.bib that lies above the plugin's file."""
    plugin: Plugin = trial.plugin
    file = bibliography_of(plugin)
    if not plugin.paper:
        raise Skipped("it names none")
    if not file:
        raise Skipped(f"there is no {BIBLIOGRAPHY} above {plugin.file.name}")
    if plugin.paper not in keys_of(file):
        raise Broken(f"paper='{plugin.paper}' is no key in {_shown(file)}; add the entry.")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
