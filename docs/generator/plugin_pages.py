"""``methods.md``, ``models.md``, ``datasets.md`` and ``analyses.md``, from the registry."""

import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from docstrings import escape, read_plugin

from xaibench.core.bibliography import reference_of
from xaibench.core.contract import plural
from xaibench.core.markdown import markdown_table
from xaibench.core.plugin import Plugin
from xaibench.core.reading.archives import Archive, known_archives
from xaibench.core.registry import plugins
from xaibench.core.spec import as_text

_PLAIN = {int: "whole number", float: "number", bool: "true or false", str: "text"}
_FAMILIES = {
    "cam": "Class activation maps",
    "gradient": "Gradients",
    "perturbation": "Perturbation",
    "attention": "Attention",
    "inherent": "Inherent",
    "learned": "Learned",
    "other": "Other, and other libraries",
    "control": "Controls",
}


def methods_page() -> str:
    """Return the page of all methods, by family."""
    known = plugins("method").values()
    parts = [
        "# Methods\n\nOptions are written `name[option=value]`. A method returns raw maps; the "
        "sign rule, the resize and the rescaling that lead to the map that is scored are the "
        "same code for all. `xaibench list methods` prints this list."
    ]
    for family, title in _FAMILIES.items():
        members = [plugin for plugin in known if plugin.traits.family == family]
        parts += [f"## {title}", _overview(members)]
        parts += [part for plugin in members for part in _section(plugin, _method_facts(plugin))]
    return "\n\n".join(parts) + "\n"


def models_page() -> str:
    """Return the page of all models."""
    return _plain_page(
        "model",
        "# Models\n\nEvery model takes pixels in [0, 1] and normalizes inside; its first weights "
        "come from `--weights`. Every model takes the options `checkpoint` and `class_order`, too "
        "([checkpoints](../howto/networks.md#checkpoints)).",
    )


def analyses_page() -> str:
    """Return the page of all analyses."""
    return _plain_page(
        "analysis",
        "# Analyses\n\nAn analysis looks at what a trained network makes of the test images: "
        "`xaibench analyze`, or `xaibench run --analyses`.",
    )


def datasets_page() -> str:
    """Return the page of all datasets."""
    return _plain_page(
        "dataset",
        "# Datasets\n\nData is looked for below `--data-root`, else below `$XAIBENCH_DATA`.",
    )


def _plain_page(kind: str, intro: str) -> str:
    known = [*plugins(kind).values(), *plugins(kind, families=True).values()]
    facts = {"dataset": _dataset_facts, "analysis": _analysis_facts}.get(kind, _common_facts)
    parts = [intro, _overview(known)]
    parts += [part for plugin in known for part in _section(plugin, facts(plugin))]
    return "\n\n".join(parts) + "\n"


def _overview(known: list[Plugin]) -> str:
    rows = [[f"[`{plugin.title}`](#{plugin.name})", _text(plugin.summary)] for plugin in known]
    return markdown_table(["name", "in one line"], rows, links=True)


def _section(plugin: Plugin, facts: Mapping[str, str]) -> list[str]:
    """Return a plugin's heading, what it says of itself, its options and the facts about it."""
    said = read_plugin(plugin)
    summary = _text(plugin.summary)
    paragraphs = said.paragraphs if summary in said.paragraphs else [summary, *said.paragraphs]
    parts = [f"### {plugin.name}", *map(escape, paragraphs)]
    if plugin.options:
        rows = [
            [f"`{name}`", type_text(option.type), default_text(option.default),
             said.options.get(name, "")]
            for name, option in plugin.options.items()
        ]  # fmt: skip
        parts.append(markdown_table(["option", "takes", "default", "meaning"], rows, links=True))
    # Two spaces at the end of a line break it.
    parts.append("  \n".join(f"*{name}*: {text}" for name, text in facts.items() if text))
    return [part for part in parts if part]


def _common_facts(plugin: Plugin) -> dict[str, str]:
    page = "vocabulary.md#" + plural(plugin.kind)
    words = ", ".join(f"`{word}`" for word in plugin.signature.words)
    return {
        "asks for": f"{words} ([vocabulary]({page}))" if words else "nothing",
        "paper": reference_of(plugin),
    }


def _method_facts(plugin: Plugin) -> dict[str, str]:
    traits = plugin.traits
    rescale = {"minmax": "min-max", "none": "none: it is a probability"}[traits.rescale]
    blind = "; blind: it looks neither at the image nor at its mask" if traits.blind else ""
    shown = {"to a map": f"sign rule {traits.sign}, rescaling {rescale}{blind}"}
    return shown | _common_facts(plugin)


def _analysis_facts(plugin: Plugin) -> dict[str, str]:
    quantities = plugin.traits.quantities.items()
    shown = "; ".join(f"`{name}`, {_text(meaning)}" for name, meaning in quantities)
    return {"quantities": shown} | _common_facts(plugin)


def _dataset_facts(plugin: Plugin) -> dict[str, str]:
    traits = plugin.traits
    recipe = ", ".join(f"`{name}={default_text(value)}`" for name, value in traits.recipe.items())
    fetch = f"`xaibench fetch {plugin.name}`, {_download(plugin.name)}" if traits.fetch else ""
    facts = {"download": fetch, "its recipe, where nothing is given": recipe.replace("`=`", "=")}
    return facts | {"paper": reference_of(plugin)}


def _download(name: str) -> str:
    """Say where a dataset comes from, and what its archives are compared with."""
    archives = [each for key, each in known_archives().items() if f"{key}_".startswith(f"{name}_")]
    if not archives:
        return "by torchvision, which compares it with its own MD5 sums"
    return "; ".join(_archive_text(archive) for archive in archives)


def _archive_text(archive: Archive) -> str:
    size = f"{archive.size:,} bytes, " * bool(archive.size)
    held = f"compared with the SHA-256 `{archive.sha256}`" if archive.sha256 else (
        "unverified, as no checksum is published: compared with the first download"
    )  # fmt: skip
    said = f" (source: {archive.source})" * bool(archive.source)
    mirrors = f", or from {', '.join(archive.mirrors)}" * bool(archive.mirrors)
    return f"from {archive.url}{mirrors}: {size}{held}{said}"


def default_text(value: Any) -> str:
    """Write a default as the command line takes it; nothing for what is empty."""
    return as_text(value).replace("``", "")


def type_text(kind: Any) -> str:
    """Say in words what an option takes."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin in (typing.Union, types.UnionType):
        known = [type_text(each) for each in arguments if each is not type(None)]
        return " or ".join([*known, "`none`"])
    if origin is tuple:
        return f"{type_text(arguments[0])}s, joined by `+`" if arguments[0] in (int, float) else (
            "names, joined by `+`"
        )  # fmt: skip
    return _PLAIN.get(kind, getattr(kind, "__name__", str(kind)))


def _text(summary: str) -> str:
    return summary.replace("``", "`")
