"""Lines of a shell as they are in a page, read against the real command line."""

import re
import shlex
import tomllib
from pathlib import Path

import click

from xaibench.cli import cli
from xaibench.core.contract import KINDS
from xaibench.core.registry import bind, load_plugin_file, plugins
from xaibench.core.spec import parse_spec
from xaibench.setup.option_values import listed
from xaibench.setup.suite import read_suite

_SPECS = {"dataset": "dataset", "models": "model", "model": "model", "judge": "model",
          "methods": "method", "metrics": "metric", "analyses": "analysis"}  # fmt: skip
_NAMED = {("metrics", "name"): "metric", ("layers", "model"): "model", ("fetch", "name"): "dataset"}
_ANYONES = {
    "cd",
    "ls",
    "cat",
    "cp",
    "head",
    "mkdir",
    "export",
    "eval",
    "git",
    "source",
    "pre-commit",
}


def read_line(line, root):
    """Check a line, and return the words after ``xaibench``, or None where more is called.

    Unknown commands, options, plugins, suites, files, extras and targets fail.
    """
    commands = _split(line)
    for words in commands:
        _read_words(words, line, root)
    alone = len(commands) == 1 and commands[0][0] == "xaibench"
    return commands[0][1:] if alone else None


def _split(line):
    """Return the words of each command of a line, without variables and redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
    lexer.whitespace_split = True
    commands, target = [[]], False
    for word in lexer:
        if word in ("|", "&&", ";", "||"):
            commands.append([])
        elif not target and word != ">" and (commands[-1] or not re.match(r"[A-Z_]+=", word)):
            commands[-1].append(word)
        target = word == ">"
    return list(filter(None, commands))


def _read_words(words, line, root):
    program, rest = words[0].removeprefix(".venv/bin/"), words[1:]
    if program == "xaibench":
        _read_command(rest)
    elif program == "pip":
        _check_extras(rest, root)
    elif program == "make":
        targets = re.findall(r"^(\w+):", (root / "Makefile").read_text("utf-8"), re.M)
        assert set(rest) <= set(targets), line
    elif program in ("python", "python3"):
        assert rest[0].startswith("-") or (root / rest[0]).exists() or Path(rest[0]).exists(), line
    else:
        assert program in _ANYONES, line


def _read_command(words):
    top = click.Context(cli, info_name="xaibench")
    try:
        if not words or words[0].startswith("-"):
            cli.make_context("xaibench", list(words))
            return
        name, command, rest = cli.resolve_command(top, list(words))
        params = command.make_context(name, list(rest), parent=top).params
    except click.exceptions.Exit:  # --help
        return
    for file in params.get("plugin") or ():
        load_plugin_file(Path(file))
    if params.get("suite"):
        read_suite(params["suite"], params.get("profile", ""), params.get("part", ""))
    for option, kind in _SPECS.items():
        for spec in listed(params.get(option) or ()):
            _check_spec(kind, spec)
    for (owner, argument), kind in _NAMED.items():
        if name == owner and params.get(argument):
            _check_spec(kind, params[argument])
    if name == "check":
        _check_target(params["target"])


def _check_spec(kind, spec):
    bind(kind, spec)


def _check_target(target):
    if target.endswith(".py"):
        assert Path(target).is_file(), target
        return
    name = parse_spec(target)[0]
    (kind,) = [kind for kind in KINDS if name in plugins(kind)]
    bind(kind, target)


def _check_extras(words, root):
    extras = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    for word in words:
        for extra in re.findall(r"\[([\w,-]+)\]", word):
            assert set(extra.split(",")) <= set(extras["optional-dependencies"]), word
