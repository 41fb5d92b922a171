"""The page's templates, and the files that are beside them."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xaibench.report.facts.proper_names import bare_method_name, bare_network_name
from xaibench.report.page.prose import soft

_PACKAGE = "xaibench.report.page"


@cache
def environment() -> Environment:
    """Return the templates: all that they are given is escaped, and nothing may be missing."""
    made = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "soft": soft,
        "method_name": bare_method_name,
        "network_name": bare_network_name,
    }
    return made


def source(name: str) -> str:
    """Return the text of a style sheet or a script, as it is."""
    return files(_PACKAGE).joinpath("templates", name).read_text("utf-8")


def inlined(*scripts: str) -> dict[str, Any]:
    """Return what a template needs to hold its styles and scripts, and a policy for these alone."""
    texts = {name: source(name) for name in scripts}
    return {
        "style": lambda name: Markup(source(name)),
        "script": lambda name: Markup(texts[name]),
        "allowed": [_digest(text) for text in texts.values()],
    }


def _digest(script: str) -> str:
    """Return the name by which a page's policy allows an inline script, and no other one."""
    return f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}"
