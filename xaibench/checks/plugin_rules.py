"""Rules that plugins of every kind keep."""

import re
from pathlib import Path
from typing import Any

from xaibench.checks.rule import Broken, Rule, Skipped, rule
from xaibench.core.plugin import Plugin

RULES: list[Rule] = []
_BIBLIOGRAPHY = "references.bib"


@rule(RULES, "says what it does")
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
    found = [folder / _BIBLIOGRAPHY for folder in plugin.file.resolve().parents]
    files = [file for file in found if file.is_file()]
    if not plugin.paper:
        raise Skipped("it names none")
    if not files:
        raise Skipped(f"there is no {_BIBLIOGRAPHY} above {plugin.file.name}")
    if plugin.paper not in re.findall(r"^@\w+\{([^,\s]+),", files[0].read_text("utf-8"), re.M):
        raise Broken(f"paper='{plugin.paper}' is no key in {_shown(files[0])}; add the entry.")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
