"""Where the picture of the house has its rooms, and what each is for."""

from typing import NamedTuple

_PLUGINS = ("datasets", "models", "methods", "metrics", "analyses")
COLORS = {
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
    color: str
    purpose: str


ROOMS = {
    "cli": Room(0, 0, 500, 36, "command", "what is typed"),
    "commands": Room(0, 66, 500, 116, "command", "one command, one file"),
    "api": Room(520, 66, 760, 196, "command", "run, explain, score in Python"),
    "diagnostics": Room(0, 146, 116, 196, "middle", "pass or fail"),
    "checks": Room(126, 146, 246, 196, "middle", "a plugin's rules"),
    "studies": Room(256, 146, 370, 196, "middle", "series of runs"),
    "submission": Room(380, 146, 500, 196, "middle", "others' maps"),
    "running": Room(24, 240, 450, 290, "middle", "plan, tasks, tables"),
    "audit": Room(345, 318, 450, 602, "middle", "faults in data"),
    "explaining": Room(24, 318, 330, 368, "middle", "maps and scores of a trained model"),
    "training": Room(24, 396, 330, 446, "middle", "training, and trained models on disk"),
    "setup": Room(24, 474, 330, 524, "middle", "options, plugins, data, splits, cells"),
    "executors": Room(24, 552, 190, 602, "middle", "tasks for processes"),
    "callbacks": Room(200, 552, 310, 602, "middle", "loggers"),
    "report": Room(470, 240, 760, 602, "report", "tables, figures, pages"),
    "results": Room(24, 618, 760, 644, "middle", "what a run leaves on disk, and its only door"),
    "core": Room(24, 780, 724, 830, "core", "the contract, and all that runs a network"),
    "stats": Room(0, 852, 760, 882, "core", "arrays in, numbers out"),
    **{
        kind: Room(64 + 78 * place, 686, 138 + 78 * place, 724, "plugin", "")
        for place, kind in enumerate(_PLUGINS)
    },
}
