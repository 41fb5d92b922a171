"""The code blocks of a page: each is played as a reader would, or says why it can't be."""

import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from shell_lines import read_line

from xaibench import cli
from xaibench.core import registry
from xaibench.core.contract import KINDS
from xaibench.setup.options import make_options

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)``` *$", re.M | re.S
)
_SAYS = re.compile(r"<!-- (?:(run)|not run: ([^>]+?)) -->\s*\Z")
_SHOWN = ("text", "json", "csv", "yaml", "bibtex", "html")
"""Languages that nobody runs."""


@dataclass(frozen=True)
class Block:
    """A fenced block with what the comment before it says."""

    line: int
    language: str
    title: str
    text: str
    run: bool
    excuse: str


def blocks_of(page):
    """Return the blocks of a page's text, in order."""
    found = []
    for match in _FENCE.finditer(page):
        says = _SAYS.search(page[: match.start()])
        language, _, rest = match["info"].strip().partition(" ")
        title = re.search(r'title="([^"]+)"', rest)
        found.append(
            Block(
                page[: match.start()].count("\n") + 1,
                language,
                title[1] if title else "",
                textwrap.dedent(match["text"]),
                bool(says and says[1]),
                (says[2] if says else None) or "",
            )
        )
    return found


class Reader:
    """Follows a page in a folder of its own: one Python process, and a fresh shell a command.

    With ``run=False`` it reads what can be read: commands against the command line, files that
    plugins are in, options of suites. Nothing is trained or explained.
    """

    def __init__(self, folder, *, run=True):
        self.folder, self.module, self.run = folder, ModuleType("blocks_of_a_page"), run
        for name in ("examples", "benchmarks"):
            (folder / name).symlink_to(ROOT / name)

    def follow(self, block):
        """Do what a block asks for."""
        if block.title:
            (self.folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / block.title).write_text(block.text, "utf-8")
        if block.language == "python":
            self._python(block)
        elif block.language == "sh":
            self._shell(block)
        elif block.language == "toml":
            _check_toml(tomllib.loads(block.text))
        else:
            assert block.language in _SHOWN, f"a block must say its language: {block.text[:50]!r}"

    def _python(self, block):
        name = block.title or f"line_{block.line}.py"
        (self.folder / name).write_text(block.text, "utf-8")
        code = compile(block.text, self.folder / name, "exec")
        if block.excuse:
            return
        if block.title:  # a file of the reader's, which commands load
            with fresh_plugins():
                exec(code, {"__name__": Path(name).stem})
            return
        if not self.run:
            return
        sys.modules[self.module.__name__] = self.module
        exec(code, self.module.__dict__)

    def _shell(self, block):
        joined = block.text.replace("\\\n", " ")
        for line in filter(None, map(str.strip, joined.splitlines())):
            if line.startswith("#") or (block.excuse and not line.startswith("xaibench")):
                continue
            with fresh_plugins():
                words = read_line(line, ROOT)
            if block.run and self.run:
                self._run(line, words)

    def _run(self, line, words):
        if words is None:
            path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            subprocess.run(
                ["bash", "-o", "pipefail", "-c", line], cwd=self.folder, check=True,
                env={**os.environ, "PATH": path},
            )  # fmt: skip
            return
        variables = dict(re.findall(r"^([A-Z_]+)=(\S+) ", line))
        with fresh_plugins(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["xaibench", *words])
            for name, value in variables.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                cli.main()
        assert not ended.value.code, f"{shlex.join(words)} ends with {ended.value.code}"


def _check_toml(table):
    """Read a suite's options as a run does; other tables are left alone."""
    parts = [table, *table.get("parts", {}).values(), *table.get("profiles", {}).values()]
    if "dataset" in table or "parts" in table:
        for part in parts:
            make_options({k: v for k, v in part.items() if k not in ("parts", "profiles")}, {})


@contextmanager
def fresh_plugins():
    """Know only what the package brings, as a new process does, and afterwards what was known."""
    for kind in KINDS:
        registry.discover(kind)
    known = {kind: dict(found) for kind, found in registry._plugins.items()}
    files, package = set(registry._loaded_files), ROOT / "xaibench"
    try:
        for kind in KINDS:
            for name, plugin in known[kind].items():
                if not plugin.file.is_relative_to(package):
                    del registry._plugins[kind][name]
        registry._loaded_files.clear()
        yield
    finally:
        for kind in KINDS:
            registry._plugins[kind].clear()
            registry._plugins[kind].update(known[kind])
        registry._loaded_files.clear()
        registry._loaded_files.update(files)


@contextmanager
def inside(folder):
    """Work in a folder, whose files can be imported, as ``python`` does."""
    before = Path.cwd()
    # A file of another test may have the name of a page's.
    others = {name: sys.modules.pop(name) for name in _modules_in(TESTS)}
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))
        for name in _modules_in(folder):
            del sys.modules[name]
        sys.modules.update(others)


def _modules_in(folder):
    files = {name: str(getattr(found, "__file__", None)) for name, found in sys.modules.items()}
    return [name for name, file in files.items() if file.startswith(f"{folder}/")]
