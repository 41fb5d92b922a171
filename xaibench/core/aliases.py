"""Other names of plugins: they can be asked for, and what was stored under them stays valid.

Fingerprints, random numbers and folders keep a plugin's first name; people read today's.
"""

import logging
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from xaibench.core.errors import XaibenchError

if TYPE_CHECKING:  # help must not wait for it
    from xaibench.core.plugin import Plugin

_log = logging.getLogger(__name__)
_first: dict[tuple[str, str], str] = {}


def other_names(plugin: "Plugin") -> set[str]:
    """Return all that a plugin can be asked for by beside its name.

    >>> from xaibench.core.registry import plugins
    >>> other_names(plugins("metric")["hit_rate"])
    {'pointing_game'}
    """
    title = plugin.traits.title if plugin.kind == "metric" else ""
    return {*plugin.aliases, *([title.lower().replace(" ", "_")] if title else [])} - {plugin.name}


def note_aliases(known: "Mapping[str, Plugin]", plugin: "Plugin") -> None:
    """Make sure that no name means two plugins of a kind, and keep which was a plugin's first.

    Raises:
        XaibenchError: another has one of its names.
    """
    same = known.get(plugin.name)
    if same and same.file.resolve() != plugin.file.resolve():
        raise XaibenchError(
            f"there is a {plugin.kind} '{plugin.name}' already, in {same.file}; rename one of them."
        )
    for other in known.values():
        if other.name == plugin.name:
            continue
        if shared := {plugin.name, *other_names(plugin)} & {other.name, *other_names(other)}:
            raise XaibenchError(
                f"{plugin.kind} '{plugin.name}' and {plugin.kind} '{other.name}', in {other.file}, "
                f"are both called '{min(shared)}'; rename one of them, or take the alias away."
            )
    _first[plugin.kind, plugin.name] = next(iter(plugin.aliases), plugin.name)


def current_name(known: "Mapping[str, Plugin]", name: str) -> str:
    """Return what a plugin is called now; a name that nobody ever had stays."""
    if name in known:
        return name
    return next((plugin.name for plugin in known.values() if name in other_names(plugin)), name)


def first_spec(kind: str, spec: str) -> str:
    """Return a spec under the first name of its plugin; of a plugin that isn't loaded it stays."""
    name, bracket, options = spec.partition("[")
    return f"{_first.get((kind, name), name)}{bracket}{options}"


@cache
def tell_alias(kind: str, before: str, now: str) -> None:
    """Say once that another name was used."""
    _log.info("note: %s '%s' is called '%s' now", kind, before, now)
