"""Other names of plugins: they can be asked for, and what was stored under them stays valid."""

import logging
from collections.abc import Iterable, Mapping
from functools import cache

from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Plugin

_log = logging.getLogger(__name__)


def other_names(plugin: Plugin) -> set[str]:
    """Return all that a plugin can be asked for by beside its name.

    >>> from xaibench.core.registry import plugins
    >>> other_names(plugins("metric")["hit_rate"])
    {'pointing_game'}
    """
    display = getattr(plugin.traits, "display", "")
    return {*plugin.aliases, *([display.lower().replace(" ", "_")] if display else [])} - {
        plugin.name
    }


def check_aliases(known: Mapping[str, Plugin], plugin: Plugin) -> None:
    """Make sure that no name means two plugins of a kind.

    Raises:
        XaibenchError: another has one of its names.
    """
    for other in known.values():
        if other.name == plugin.name:
            continue
        if shared := {plugin.name, *other_names(plugin)} & {other.name, *other_names(other)}:
            raise XaibenchError(
                f"{plugin.kind} '{plugin.name}' and {plugin.kind} '{other.name}', in {other.file}, "
                f"are both called '{min(shared)}'; rename one of them, or take the alias away."
            )


def current_name(known: Mapping[str, Plugin], name: str) -> str:
    """Return what a plugin is called now; a name that nobody ever had stays."""
    if name in known:
        return name
    return next((plugin.name for plugin in known.values() if name in other_names(plugin)), name)


@cache
def tell_alias(kind: str, before: str, now: str) -> None:
    """Say once that another name was used."""
    _log.warning("%s '%s' is called '%s' now: that is what is used", kind, before, now)


def renamed(known: Mapping[str, Plugin], specs: Iterable[str]) -> dict[str, str]:
    """Return what each of some stored specs is called now, where that is another name."""
    found = {}
    for spec in specs:
        name, bracket, options = spec.partition("[")
        if (now := current_name(known, name)) != name:
            found[spec] = f"{now}{bracket}{options}"
    return found
