"""The papers behind plugins: a BibTeX file above the plugin's own."""

import re
import unicodedata
from pathlib import Path

from xaibench.core.plugin import Plugin

BIBLIOGRAPHY = "references.bib"
_NAMED = 3
_ACCENTS = {
    **{"'": "\u0301", "`": "\u0300", "^": "\u0302"},
    **{'"': "\u0308", "~": "\u0303", "c": "\u0327"},
}


def bibliography_of(plugin: Plugin) -> Path | None:
    """Return the nearest ``references.bib`` above a plugin's file; wheels hold ours inside."""
    found = (folder / BIBLIOGRAPHY for folder in plugin.file.resolve().parents)
    return next((file for file in found if file.is_file()), None)


def keys_of(file: Path) -> list[str]:
    """Return the keys of a BibTeX file, in its order."""
    return re.findall(r"^@\w+\{([^,\s]+),", file.read_text("utf-8"), re.MULTILINE)


def reference_of(plugin: Plugin) -> str:
    """Return a plugin's paper in one line: authors, year, title, where, and its key.

    The key alone where no bibliography knows it, and nothing where the plugin names none.
    """
    file = bibliography_of(plugin)
    if not plugin.paper or not file:
        return plugin.paper or ""
    entry = rf"^@\w+\{{{re.escape(plugin.paper)},\n(.*?)^\}}"
    found = re.search(entry, file.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    if not found:
        return plugin.paper
    lines = re.sub(r"\s*\n\s*+(?!\w+\s*=)", " ", found[1])
    pairs = re.findall(r"^\s*(\w+)\s*=\s*[{\"]?(.*?)[}\"]?,?\s*$", lines, re.MULTILINE)
    fields = {name.lower(): _plain(value) for name, value in pairs}
    who = f"{_names(fields.get('author', ''))} {fields.get('year', '')}".strip()
    where = [fields[kind] for kind in ("booktitle", "journal", "howpublished") if kind in fields]
    parts = [who, fields.get("title", ""), *where]
    return f"{'. '.join(part for part in parts if part)} [{plugin.paper}]"


def _names(authors: str) -> str:
    last = [_last_name(author) for author in authors.split(" and ")]
    if len(last) > _NAMED or last[-1] == "others":
        return f"{last[0]} et al."
    return " and ".join(part for part in (", ".join(last[:-1]), last[-1]) if part)


def _last_name(author: str) -> str:
    return author.partition(",")[0] if "," in author else author.rpartition(" ")[2]


def _plain(text: str) -> str:
    accented = re.sub(
        r"\\(['`^\"~]|c(?=\{))\{?(\w)\}?", lambda found: found[2] + _ACCENTS[found[1]], text
    )
    bare = re.sub(r"\\[a-z]+|[{}]", "", accented)
    return unicodedata.normalize("NFC", bare)
