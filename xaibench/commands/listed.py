"""What ``list`` shows of the package's own plugins, known without importing them, or torch.

`listed.json` is generated (`python docs/generator`). It counts for a kind as long as its files are
those that it was made from, but for the bodies of functions, and no other package brings plugins.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from xaibench.core.contract import KINDS, plural
from xaibench.core.extensions import announced

_PACKAGE = Path(__file__).parent.parent
_INDEX = Path(__file__).with_name("listed.json")


class Listed(NamedTuple):
    """A plugin, as it is listed.

    Attributes:
        name: of its function.
        title: its name as a user writes it.
        summary: one line.
        options: with their defaults; empty without any.
    """

    name: str
    title: str
    summary: str
    options: str


def register_listed(kind: str) -> list[Listed]:
    """Return all plugins of a kind by importing them, those that stand for a library last."""
    from xaibench.core.registry import plugins

    known = {**plugins(kind), **plugins(kind, families=True)}
    return [
        Listed(one.name, one.title, one.summary, one.defaults if one.options else "")
        for one in known.values()
    ]


def recall_listed(kind: str) -> list[Listed] | None:
    """Return the same without importing any; None where that may be wrong."""
    if announced(kind):
        return None
    stored = json.loads(_INDEX.read_text("utf-8"))[kind]
    if dict(stored["heads"]) != _heads(kind):
        return None
    return [Listed(*each) for each in stored["plugins"]]


def index_text() -> str:
    """Return what `listed.json` must hold, a line for each file and plugin."""
    kinds = [
        f'"{kind}": {{"heads": {_lines(_heads(kind).items())},\n'
        f'"plugins": {_lines(register_listed(kind))}}}'
        for kind in KINDS
    ]
    return "{" + ",\n".join(kinds) + "}\n"


def _lines(entries: Iterable[object]) -> str:
    """Return a JSON list with a line for each entry, so that branches of them merge."""
    return "[\n" + ",\n".join(json.dumps(each, ensure_ascii=False) for each in entries) + "]"


def _heads(kind: str) -> dict[str, int]:
    """Return a checksum of what each file declares, which is all that the list shows."""
    declared = re.compile(rf'^@{kind}\(.*?^def .*?"""[^\n]*', re.DOTALL | re.MULTILINE)
    found = {}
    for file in sorted((_PACKAGE / plural(kind)).glob("*.py")):
        text = file.read_text("utf-8")
        first_line = text.partition("\n")[0]
        found[file.name] = crc32("\n".join([first_line, *declared.findall(text)]).encode())
    return found
