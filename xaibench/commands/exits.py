"""What the command line ends with, for scripts: here and nowhere else."""

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    FOUND = 1
    MISTAKE = 2
    FAILED = 3
    FAULT = 4
    STOPPED = 130
    PIPE = 141
    TERMINATED = 143


MEANINGS: Mapping[Exit, str] = {
    Exit.DONE: "done",
    Exit.FOUND: "`check` found a broken rule, or `audit` a file at which a run would stop",
    Exit.MISTAKE: "an option, a file or the data is at fault; the message says what to do",
    Exit.FAILED: "done, but some cells, images or parts failed; the others count",
    Exit.FAULT: "an unexpected error in xaibench",
    Exit.STOPPED: "stopped by Ctrl-C; the same command goes on from there",
    Exit.PIPE: "whoever read the output has left",
    Exit.TERMINATED: "stopped by SIGTERM; the same command goes on from there",
}


def epilog() -> str:
    """Return the codes for ``xaibench --help``."""
    return "\b\nExit codes:\n" + "\n".join(f"  {c.value:<5}{text}" for c, text in MEANINGS.items())
