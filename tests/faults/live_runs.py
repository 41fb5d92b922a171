"""Runs as processes of their own that can be killed; a warm server forks them, ready to begin."""

import multiprocessing
import os
import pkgutil
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import click

import xaibench
from xaibench import cli
from xaibench.commands.options import end_with, given_ones, verbosity_options
from xaibench.commands.run import run_options
from xaibench.running.plan import make_plan
from xaibench.running.run import run_plan
from xaibench.setup.selection import select
from xaibench.training.checkpoint import Checkpoints

_TESTS = Path(__file__).parents[1]
WAIT = 240
TINY = {
    "--dataset": "phantom[images=60]",
    "--plugin": _TESTS / "pocket_plugins.py",
    "--models": "pocket_saliency,pocket",
    "--methods": "gradcam,spn,sobel",
    "--metrics": "iou,iou_tuned,pxap",
    "--analyses": "pca",
    "--mask-fraction": 1,
    "--epochs": 3,
    "--image-size": 32,
    "--weights": "none",
    "--device": "cpu",
    "--batch-size": 2,
    "--part-size": 2,
}
"""Two models, one with masks; three methods; six test images in three parts; one analysis."""

CELLS = "cells"
"""Replaces ``xaibench run`` in a command line: does all but the report, which takes longest."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        *("xaibench.running.run", "xaibench.report.write", "pyarrow.pandas_compat", "requests"),
        *(
            f"xaibench.{kind}.{module.name}"
            for kind in ("analyses", "datasets", "methods", "metrics", "models")
            for module in pkgutil.iter_modules([str(Path(xaibench.__file__).parent / kind)])
        ),
    ]
)


def arguments(out, command="run", **changed):
    """Return the command line of a tiny run; ``epochs=2`` changes an option, True is a flag."""
    options = {**TINY, "--out": out}
    options |= {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    words = [command, "--no-controls"]
    for name, value in options.items():
        words += [name] if value is True else [name, str(value)]
    return words


class Live:
    """A command in a process of its own."""

    def __init__(self, words, said, prepare=None, **environment):
        self._said = Path(said)
        self.process = _context.Process(
            target=_live, args=([str(word) for word in words], str(said), prepare, environment)
        )
        self.process.start()

    def wait(self):
        """Return the exit code, negative where a signal ended it, and all that it printed."""
        self.process.join(WAIT)
        assert self.process.exitcode is not None, "it hangs"
        return self.process.exitcode, self._said.read_text("utf-8")

    def kill(self):
        """End it as ``kill -9`` does."""
        self.process.kill()
        self.process.join()


def _live(words, said, prepare, environment):
    os.environ.update(environment)
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    if prepare is not None:
        prepare()
    sys.argv = ["xaibench", *words]
    cli.cli.add_command(_cells)
    cli.main()


@click.command(CELLS)
@verbosity_options
@run_options()
def _cells(**given):
    selection = select(given_ones(given))
    outcome = run_plan(selection, make_plan(selection), "a test")
    end_with([f"{what}: {why}" for what, why in outcome.failures.items()])


def write_each_checkpoint():
    """Write one after each epoch, and before the next, so that their number is certain."""
    Checkpoints.offer = lambda self, content: self._write(content())


@dataclass(frozen=True)
class KilledBefore:
    """Dies right before a file gets or loses its name, at the n-th whose path has some words."""

    count: int
    words: str

    def __call__(self):
        left = self.count
        write_each_checkpoint()

        def watch(event, details):
            nonlocal left
            path = str(details[0]) if event in ("os.rename", "os.remove", "shutil.rmtree") else ""
            # What has its name already isn't there any more to be removed.
            if self.words in path and not (event == "os.remove" and path.endswith(".tmp")):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)


@dataclass(frozen=True)
class KilledWriting:
    """Dies in the middle of writing any file that grows beyond so many bytes."""

    size: int

    def __call__(self):
        write_each_checkpoint()
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.size))
