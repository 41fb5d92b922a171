"""A run's work for any process: it travels as options and names, and opens the data there."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from xaibench.running.locks import locked
from xaibench.running.plan import Plan
from xaibench.running.work import Failures, Workshop
from xaibench.setup.jobs import Work
from xaibench.setup.options import RunOptions
from xaibench.setup.selection import Selection


class Doing:
    """What executors call with a piece of work.

    Where it was made it uses the data that are open there; a copy in another process opens its
    own, once.
    """

    def __init__(self, selection: Selection, plan: Plan) -> None:
        self._options = selection.options
        self._metrics = tuple(metric.spec for metric in plan.metrics)
        self._command = selection.command
        self._workshop: Workshop | None = Workshop(selection, plan.metrics)

    def __getstate__(self) -> dict[str, Any]:
        """Return what travels."""
        return {**self.__dict__, "_workshop": None}

    def __call__(self, work: Work, out: Path) -> Failures:
        """Do a piece of work in the run's folder; return what failed.

        Raises:
            Busy: another process is at it.
            XaibenchError: as `Workshop.do` says.
        """
        with locked(out, work.key):
            workshop = self._workshop or _open(self._options, self._metrics, self._command)
            workshop.selection.place_in(out)
            return workshop.do(work)


@lru_cache(maxsize=1)
def _open(options: RunOptions, metrics: tuple[str, ...], command: str) -> Workshop:
    selection = Selection(options)
    selection.command = command
    chosen = [metric for metric in selection.metrics if metric.spec in metrics]
    return Workshop(selection, chosen)
