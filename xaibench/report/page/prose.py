"""Markdown of the report's own sentences as HTML; markup in names shows as text."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
_PICTURE = re.compile(r"!\[.*\]\(.*\)", re.DOTALL)
_JOINT = re.compile(r"(?<=[_,=])(?=[^\s\]])|(?<=\w\[)(?=\w)")
# An interval stays with its value, a pair in one line, a percentage whole.
_WHOLE = re.compile(r"(?<=\d) (?=%|\[-?[.\d]+,)|(?<=\d,) (?=-?[.\d]+\])")
_DEEPEST = 6


def prose(
    paragraphs: Iterable[str], level: int = 3, anchors: Mapping[str, str] | None = None
) -> Markup:
    """Render paragraphs; tables scroll on their own and can be sorted.

    Args:
        paragraphs: Markdown. Those that are pictures are left out.
        level: of the highest heading; all others are moved with it.
        anchors: ids of headings by their text, as it reads.
    """
    text = "\n\n".join(part for part in paragraphs if not _PICTURE.fullmatch(part))
    tokens = _MARKDOWN.parse(text)
    headings = [token for token in tokens if token.type in {"heading_open", "heading_close"}]
    highest = min((int(token.tag[1]) for token in headings), default=level)
    for token in headings:
        token.tag = f"h{min(int(token.tag[1]) - highest + level, _DEEPEST)}"
    for opened, inside in pairwise(tokens):
        name = (anchors or {}).get(_plain(inside))
        if opened.type == "heading_open" and name:
            opened.attrSet("id", name)
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def sentence(text: str) -> Markup:
    """Render one line, without a paragraph of its own."""
    return Markup(_MARKDOWN.renderInline(text))


def soft(name: str) -> Markup:
    """Escape a name, and let it break where a spec has a joint."""
    return Markup("<wbr>").join(_JOINT.split(name))


def _plain(token: Token) -> str:
    return "".join(child.content for child in token.children or ())


def _table_open(*_: Any) -> str:
    return (
        '<div class="frame" tabindex="0" role="group" aria-label="table">'
        '<table class="plain sortable">\n'
    )


def _table_close(*_: Any) -> str:
    return "</table></div>\n"


def _text(_: Any, tokens: Sequence[Token], place: int, *__: Any) -> str:
    return str(soft(_WHOLE.sub("\u00a0", tokens[place].content)))


def _code(_: Any, tokens: Sequence[Token], place: int, *__: Any) -> str:
    return str(Markup("<code>{}</code>").format(soft(tokens[place].content)))


def _code_block(_: Any, tokens: Sequence[Token], place: int, *__: Any) -> str:
    return str(Markup('<pre tabindex="0"><code>{}</code></pre>').format(tokens[place].content))


_MARKDOWN.add_render_rule("text", _text)
_MARKDOWN.add_render_rule("code_inline", _code)
_MARKDOWN.add_render_rule("table_open", _table_open)
_MARKDOWN.add_render_rule("table_close", _table_close)
_MARKDOWN.add_render_rule("code_block", _code_block)
