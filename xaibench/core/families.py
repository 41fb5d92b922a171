"""Plugins that stand for all networks of a library: ``timm/NAME``."""

from collections.abc import Iterable
from dataclasses import replace

from xaibench.core.plugin import ModelTraits, Plugin


def is_family(plugin: Plugin) -> bool:
    """Whether a plugin stands for all networks of a library."""
    return isinstance(plugin.traits, ModelTraits) and plugin.traits.prefix is not None


def find_member(families: Iterable[Plugin], name: str) -> Plugin | None:
    """Return the family that a name belongs to, made for that member."""
    for each in sorted(families, key=lambda family: -len(family.traits.prefix)):
        member, traits = name.removeprefix(each.traits.prefix), each.traits
        if not (member and name.startswith(traits.prefix)):
            continue  # without listing its members, which imports the library
        if traits.members is None or member.partition(".")[0] in traits.members():
            papers = traits.papers.items()  # a tag behind the dot names weights
            own = next((key for start, key in papers if member.startswith(start)), each.paper)
            return replace(each, name=name, member=member, paper=own)
    return None


def list_members(families: Iterable[Plugin], name: str) -> list[str]:
    """Return the members of all families whose prefix a name has."""
    return [
        f"{each.traits.prefix}{member}"
        for each in families
        if name.startswith(each.traits.prefix) and each.traits.members
        for member in each.traits.members()
    ]
