"""The page's templates, and the files that stand beside them."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from xaibench.report.page.prose import soft

_TEMPLATES = PackageLoader("xaibench.report.page")


def environment() -> Environment:
    """Return the templates: all that they are given is escaped, and nothing may be missing."""
    made = Environment(
        loader=_TEMPLATES,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["soft"] = soft
    return made


def source(name: str) -> str:
    """Return the text of a style sheet or a script, as it stands."""
    return _TEMPLATES.get_source(Environment(), name)[0]
