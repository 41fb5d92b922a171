"""What was stored under earlier names of plugins, by the names that they have now."""

from collections.abc import Mapping
from typing import TypeVar

from xaibench.core.aliases import current_name
from xaibench.core.registry import plugins

T = TypeVar("T")


def todays_spec(kind: str, spec: str) -> str:
    """Return a stored spec under the name that its plugin has now."""
    name, bracket, options = spec.partition("[")
    return f"{current_name(plugins(kind), name)}{bracket}{options}"


def under_todays_names(kind: str, stored: Mapping[str, T]) -> dict[str, T]:
    """Return what was stored by a plugin's spec, by the name that it has now."""
    return {todays_spec(kind, spec): each for spec, each in stored.items()}
