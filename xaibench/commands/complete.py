"""``xaibench completion``, and what a shell may offer for an option; nothing here waits for torch.

Names come from the plugins' files and from the names of entry points: importing them would take
seconds at every press of the key.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from xaibench.callbacks.known import CALLBACKS
from xaibench.commands.help import command
from xaibench.commands.table import PROGRAM, VARIABLE
from xaibench.core.contract import KINDS, plural
from xaibench.core.extensions import announced
from xaibench.executors.find import EXECUTORS

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
_PACKAGE = Path(__file__).parent.parent
EXTENSIONS = {"callbacks": CALLBACKS, "executors": EXECUTORS}
"""What isn't declared by decorators, by its kind in the plural."""


@command(
    "echo 'eval \"$(xaibench completion bash)\"' >> ~/.bashrc",
    "xaibench completion fish > ~/.config/fish/completions/xaibench.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and names of plugins in a shell.

    \b
    bash: eval "$(xaibench completion bash)"              in ~/.bashrc
    zsh:  eval "$(xaibench completion zsh)"               in ~/.zshrc
    fish: xaibench completion fish | source               in ~/.config/fish/config.fish
    """  # noqa: D301 (click keeps the lines below a backspace)
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(context.find_root().command, {}, PROGRAM, VARIABLE).source())


_LIBRARY = re.compile(r'library=ModelTraits\(\s*"([^"]*)"')


def names_of(kind: str) -> list[str]:
    """Return the names of all plugins of a kind, sorted: ours, and those of other packages.

    A file may hold several plugins of one family; what is decorated in it counts. Of a library of
    networks it is the prefix.
    """
    if plural(kind) in EXTENSIONS:
        return sorted(EXTENSIONS[plural(kind)].known)
    folder = _PACKAGE / plural(kind)
    declared = re.compile(rf"^@{kind}\((.*?)^def (\w+)", re.DOTALL | re.MULTILINE)
    found = [each for file in folder.glob("*.py") for each in declared.findall(file.read_text())]
    prefixes = [(_LIBRARY.search(traits), name) for traits, name in found]
    ours = {prefix[1] if prefix else name for prefix, name in prefixes} - {""}
    theirs = {entry.name for entry in announced(kind)}
    return sorted(ours | theirs)


def one_of(kind: str) -> Completer:
    """Complete the name of a plugin."""
    return lambda _context, _option, typed: _starting(names_of(kind), typed)


def some_of(kind: str) -> Completer:
    """Complete the last name of a list with commas; what is before is offered with it."""

    def complete(_context: click.Context, _option: click.Parameter, typed: str) -> Any:
        before, comma, last = typed.rpartition(",")
        taken = set(before.split(","))
        names = [name for name in names_of(kind) if name not in taken]
        return _starting((f"{before}{comma}{name}" for name in names), f"{before}{comma}{last}")

    return complete


def any_plugin(
    _context: click.Context, _argument: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Complete the name of a plugin of any kind, or a file."""
    found = _starting(sorted({name for kind in KINDS for name in names_of(kind)}), typed)
    return found or [CompletionItem(typed, type="file")]


def suite_file(
    _context: click.Context, _option: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Complete a TOML file, or a folder on the way to one."""
    start = Path(typed)
    folder = start if typed.endswith("/") else start.parent
    found = sorted(folder.glob("*")) if folder.is_dir() else []
    paths = [
        f"{path}/" if path.is_dir() else f"{path}"
        for path in found
        if path.is_dir() or path.suffix == ".toml"
    ]
    return _starting(paths, typed)


def table_of_suite(name: str) -> Completer:
    """Complete the name of a part or a profile of the suite that was named before."""

    def complete(context: click.Context, _option: click.Parameter, typed: str) -> Any:
        try:
            content = tomllib.loads(Path(context.params["suite"]).read_text("utf-8"))
            return _starting(sorted(content.get(name, {})), typed)
        except (OSError, KeyError, TypeError, ValueError, AttributeError):
            return []  # a shell must never see an error of ours

    return complete


OF_OPTIONS: dict[str, Completer] = {
    "dataset": one_of("dataset"), "methods": some_of("method"), "models": some_of("model"),
    "metrics": some_of("metric"), "analyses": some_of("analysis"), "judge": one_of("model"),
    "callbacks": some_of("callback"), "executor": one_of("executor"),
}  # fmt: skip
"""By the names of a run's options."""


def _starting(names: Iterable[str], typed: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(typed)]
