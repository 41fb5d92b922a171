"""``suites.md``: what each file of ``benchmarks/`` says of itself, and its parts and profiles."""

import re
import tomllib
from itertools import groupby
from pathlib import Path
from typing import Any

_SUITES = Path(__file__).parents[2] / "benchmarks"
_INTRO = """# Suites

A suite is a TOML file of options, named as on the command line with underscores. Its parts are runs
of their own; a profile changes some options of all. What is typed beside `--suite` wins."""


def suite_page() -> str:
    """Return the page."""
    parts = [_INTRO]
    for path in sorted(_SUITES.glob("*.toml")):
        text = path.read_text("utf-8")
        header = re.match(r"(?:#.*\n)*", text)
        lines = [line[1:].removeprefix(" ") for line in (header[0] if header else "").splitlines()]
        parts += [f"## {path.stem}", _markdown(lines), _contents(tomllib.loads(text))]
    return "\n\n".join(filter(None, parts)) + "\n"


def _markdown(lines: list[str]) -> str:
    """Set what is indented as code, and each ``Word:`` at a line's begin as a paragraph."""
    parts = []
    for indented, group in groupby(lines, key=lambda line: line.startswith("  ")):
        block = "\n".join(line.strip() if indented else line for line in group)
        if indented:
            language = "sh" if block.startswith("xaibench") else "text"
            parts.append(f"```{language}\n{block}\n```")
        else:
            spaced = re.sub(r"^(Data|Runtime|Expect)\b", r"\n\1", block, flags=re.MULTILINE)
            parts.append(re.sub(r"\n{3,}", "\n\n", spaced).strip())
    return "\n\n".join(filter(None, parts))


def _contents(suite: dict[str, Any]) -> str:
    named = {
        kind.capitalize(): ", ".join(f"`{name}`" for name in suite.get(kind, {}))
        for kind in ("parts", "profiles")
    }
    return "  \n".join(f"*{kind}*: {names}" for kind, names in named.items() if names)
