"""What installed packages may add by entry points, beside what this package brings."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from xaibench.core.contract import plural
from xaibench.core.errors import XaibenchError
from xaibench.core.suggest import did_you_mean

_OURS = "xaibench."  # which the groups of entry points begin with


@dataclass(frozen=True)
class Extensions:
    """Functions or classes that an option chooses by their names.

    Args:
        option: of the command line, such as ``--executor``.
        group: the group of entry points by which packages announce theirs.
        ours: what this package brings: ``module:object`` by name. What such a module needs beside
            the package's own requirements is installed by the extra of the same name.
    """

    option: str
    group: str
    ours: Mapping[str, str]

    @property
    def known(self) -> dict[str, EntryPoint]:
        """All that there are, by name, ours first; nothing is imported."""
        ours = {name: EntryPoint(name, at, self.group) for name, at in self.ours.items()}
        return ours | {
            e.name: e for e in _announced(tuple(sys.path)).get(self.group, ()) if e.name not in ours
        }

    def check(self, name: str) -> None:
        """Refuse a name that none of them has.

        Raises:
            XaibenchError: there is none of that name.
        """
        if name not in (known := self.known):
            raise XaibenchError(
                f"{self.option} {name}: there is none of that name{did_you_mean(name, known)}; "
                f"choose one of {', '.join(known)}."
            )

    def load(self, name: str) -> Any:
        """Import the one of that name, with what it needs.

        Raises:
            XaibenchError: there is none of that name, or it can't be imported.
        """
        self.check(name)
        entry = self.known[name]
        if name not in self.ours:
            return load_entry(entry, f"{self.option} {name}")
        try:
            return entry.load()
        except ModuleNotFoundError as error:
            raise XaibenchError(
                f"{self.option} {name}: {error.name} is not installed; "
                f"pip install 'xaibench[{name}]'"
            ) from error


def announced(kind: str) -> tuple[EntryPoint, ...]:
    """Return the plugins of a kind that installed packages bring, by entry points."""
    return _announced(tuple(sys.path)).get(f"{_OURS}{plural(kind)}", ())


@cache
def _announced(_path: tuple[str, ...]) -> Mapping[str, tuple[EntryPoint, ...]]:
    """Return our groups' entry points: to look through all installed packages takes its time."""
    known = entry_points()
    groups = [group for group in known.groups if group.startswith(_OURS)]
    return {group: tuple(known.select(group=group)) for group in groups}


def load_entry(entry: EntryPoint, what: str) -> Any:
    """Import what an entry point names.

    Args:
        entry: the entry point.
        what: it is, for people.

    Raises:
        XaibenchError: it fails to import.
    """
    try:
        return entry.load()
    except Exception as error:
        package = f" '{entry.dist.name}'" if entry.dist else ""
        raise XaibenchError(
            f"{what}: the package{package} that brings it fails to import ({type(error).__name__}: "
            f"{error}); fix or uninstall it."
        ) from error
