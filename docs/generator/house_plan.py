"""Where the picture of the house has its rooms, and what each is for."""

from typing import NamedTuple

_PLUGINS = ("datasets", "models", "methods", "metrics", "analyses")
COLOURS = {
    "command": ("#dbe7f6", "#5b84b1"),
    "middle": ("#e4ecd9", "#7d9a5c"),
    "report": ("#f6e6cf", "#b98a45"),
    "plugin": ("#efdff0", "#9a6a9e"),
    "core": ("#e3e4ea", "#7b7f93"),
}


class Room(NamedTuple):
    """A layer's place and what it is for."""

    left: int
    top: int
    right: int
    bottom: int
    colour: str
    purpose: str


ROOMS = {
    "cli": Room(0, 0, 500, 36, "command", "what is typed"),
    "commands": Room(0, 66, 500, 116, "command", "one command, one file"),
    "api": Room(520, 66, 760, 196, "command", "run, explain, score in Python"),
    "diagnostics": Room(0, 146, 150, 196, "middle", "pass or fail"),
    "checks": Room(165, 146, 300, 196, "middle", "a plugin's rules"),
    "studies": Room(315, 146, 500, 196, "middle", "runs that differ in one thing"),
    "pipeline": Room(24, 240, 450, 290, "middle", "plan, train, explain, score, analyse"),
    "executors": Room(24, 318, 330, 368, "middle", "tasks for processes and machines"),
    "report": Room(470, 240, 760, 368, "report", "tables, figures, pages"),
    "results": Room(24, 384, 760, 410, "middle", "what a run leaves on disk, and its only door"),
    "core": Room(24, 516, 724, 566, "core", "the contract, and all that runs a network"),
    "stats": Room(0, 588, 760, 618, "core", "arrays in, numbers out"),
    **{
        kind: Room(64 + 78 * place, 418, 138 + 78 * place, 456, "plugin", "")
        for place, kind in enumerate(_PLUGINS)
    },
}
