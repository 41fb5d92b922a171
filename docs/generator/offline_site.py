"""A hook of MkDocs: no page of the site may ask anything of the net."""

import re
from typing import Any

from mkdocs.exceptions import PluginError

_ASKS = re.compile(
    r'<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc="?(?:https?:)?//[^"\s>]*'
    r'|<link\b(?![^>]*\brel="?canonical)[^>]*\bhref="?(?:https?:)?//[^"\s>]*',
)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Leave a page as it is.

    Raises:
        PluginError: it loads something from another host.
    """
    if found := _ASKS.search(output):
        raise PluginError(f"{page.file.src_uri} would ask the net: {found[0]}")
    return output
