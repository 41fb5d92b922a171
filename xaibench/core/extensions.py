"""What installed packages may add by entry points, beside what this package brings."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from xaibench.core.errors import XaibenchError
from xaibench.core.suggest import did_you_mean


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
        return ours | {e.name: e for e in entry_points(group=self.group) if e.name not in ours}

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
            f"{error}); mend or uninstall it."
        ) from error
