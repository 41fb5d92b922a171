"""``cli.md``: every command, from click itself."""

import re

import click
from docstrings import escape

from xaibench.cli import cli
from xaibench.commands.exits import MEANINGS
from xaibench.commands.help import Command, run_field
from xaibench.core.markdown import markdown_table
from xaibench.core.spec import as_text

_INTRO = """# Command line

`xaibench COMMAND --help` prints the same. Lists are written with commas, plugins as
`name[option=value]`; put quotes around brackets. Where a run is told nothing, the dataset's
[recipe](datasets.md) speaks, and then the defaults below."""


def command_page() -> str:
    """Return the page."""
    parts = [_INTRO, *_overview()]
    with click.Context(cli, info_name="xaibench") as top:
        for name, command in cli.load_all().items():
            parts += _section(click.Context(command, info_name=name, parent=top))
    codes = [[str(code.value), meaning] for code, meaning in MEANINGS.items()]
    parts += ["## Exit codes", markdown_table(["code", "meaning"], codes, links=True)]
    return "\n\n".join(parts) + "\n"


def _overview() -> list[str]:
    rows = [
        [f"[`{name}`](#{name})", command.get_short_help_str(limit=120)]
        for name, command in cli.load_all().items()
    ]
    return ["## Commands", markdown_table(["command", "what it does"], rows, links=True)]


def _section(context: click.Context) -> list[str]:
    command = context.command
    usage = " ".join(context.get_usage().removeprefix("Usage: ").split())
    # Before 8.5 click put a choice that may be left out into brackets twice.
    usage = usage.replace("[[", "[").replace("]]", "]")
    parts = [f"### {context.info_name}", f"```text\n{usage}\n```", _paragraphs(command.help or "")]
    if isinstance(command, Command):
        examples = "\n".join(command.examples)
        parts.append(f"```text\n{examples}\n```")
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        rows = [
            [_names(option, context), _default(option), _cell(option.help or "")]
            for option in options
        ]
        parts.append(markdown_table(["option", "default", "meaning"], rows, links=True))
    return parts


def _names(option: click.Option, context: click.Context) -> str:
    names = ", ".join(option.opts)
    if option.secondary_opts:
        names += f" / {', '.join(option.secondary_opts)}"
    metavar = "" if option.is_flag else f" {option.make_metavar(context)}"
    repeated = " (may be repeated)" if option.multiple else ""
    return f"`{names}{metavar}`{repeated}"


def _default(option: click.Option) -> str:
    """Return the default: click's own, or the run's where nothing given means that."""
    default = option.default
    if not isinstance(default, (bool, int, float, str)) or option.is_flag:
        field = run_field(option)
        default = field.default if field else ""
    if default in ("", (), None):
        return "required" if option.required else ""
    parts = default if isinstance(default, tuple) else (default,)
    return ", ".join(f"`{as_text(part)}`" for part in parts)


def _paragraphs(text: str) -> str:
    parts = (escape(_cell(" ".join(part.split()))) for part in text.split("\n\n"))
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    """Set names of files, options and specs as code, so that Markdown leaves them alone."""
    pieces = text.split("`")
    plain = (re.sub(r"(?<![\w`])(--[a-z][\w-]*|\$[A-Z_]+)", r"`\1`", each) for each in pieces[::2])
    code = [*(f"`{each}`" for each in pieces[1::2]), ""]
    return "".join(outer + inner for outer, inner in zip(plain, code, strict=True))
