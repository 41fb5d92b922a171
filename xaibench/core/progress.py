"""Progress for people: nested bars in a terminal, lines in a log elsewhere."""

import logging
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from xaibench.core.pace import Pace
from xaibench.core.screen import clock, screen

_log = logging.getLogger(__name__)
_open: list["Bar"] = []
# Between two lines of a walk: at first this many seconds, later this share of the time so far.
_PAUSE, _SHARE = 30, 0.1
_ALMOST = 1e-6  # what fractions of steps may lack of a whole one


class Bar:
    """One line of progress, which may be inside another."""

    def __init__(
        self,
        verb: str,
        subject: str,
        total: float,
        done: float = 0,
        *,
        unit: str = "",
        pace: Pace | None = None,
        shown: bool = True,
    ) -> None:
        self.title = f"{verb} {subject}".strip()
        self._verb, self._subject, self._unit = verb, subject, unit
        self._total, self._done, self._from = total, done, done
        self._pace, self._step, self._shown = pace, Pace({}), shown
        self._around = list(_open)
        self._started = self._moved = self._told = time.monotonic()
        self.note = ""

    def advance(self, steps: float = 1, *, note: str = "") -> None:
        """Count steps, or a fraction of one; the note is shown beside the bar."""
        now = time.monotonic()
        self._pass_on(steps, now - self._moved)
        self._done, self._moved = self._done + steps, now
        self.note = note or self.note
        if not self._shown:
            return
        if self._unit:
            _log.info("%s: %s %s, %s", self._subject, self._unit, self.count, note)
        elif now - self._told >= max(_PAUSE, _SHARE * self.elapsed):
            self._told = now
            _log.info("%s: %s, %s left", self.title, self.count, clock(self.left))

    def at(self, note: str) -> None:
        """Say what is at work, without counting anything."""
        self.note = note

    def expect(self, units: Mapping[str, float]) -> None:
        """Begin a step that consists of these units; what the last one didn't need is dropped."""
        self._drop(self._step)
        self._step = Pace(units)

    def end(self) -> None:
        """Drop all that is still ahead: the work around this one need not wait for it."""
        if self._pace is not None:
            self._drop(Pace(self._pace.ahead))

    @property
    def fraction(self) -> float:
        """The share that is done, in [0, 1], with what bars inside this one have done."""
        if self._pace is not None:
            return self._pace.share
        inner = next((bar.fraction for bar in _open if bar.is_inside(self)), 0.0)
        return min((self._done + inner) / self._total, 1) if self._total else 0.0

    @property
    def count(self) -> str:
        """Whole steps done, of all where their number is known."""
        done, total = (math.floor(number + _ALMOST) for number in (self._done, self._total))
        return f"{done}/{total}" if total else f"{done}"

    @property
    def elapsed(self) -> float:
        """Seconds since it was opened."""
        return time.monotonic() - self._started

    @property
    def left(self) -> float | None:
        """Seconds that are left, by what was done so far; None while nobody can tell."""
        if self._pace is not None:
            return self._pace.left()
        fraction = self.fraction
        before = self._from / self._total if self._total else 0.0
        if fraction <= before:
            return None
        return self.elapsed * (1 - fraction) / (fraction - before)

    def is_inside(self, other: "Bar") -> bool:
        """Whether the other is the next one around this."""
        return self._around[-1:] == [other]

    def _pass_on(self, steps: float, seconds: float) -> None:
        """Tell the work around: the nearest that has a pace knows what a step is worth."""
        paced = [bar for bar in reversed(self._around) if bar._pace is not None]
        if not paced or not self._total or self._pace is not None:
            return
        step = paced[0]._step
        whole, ahead = (units.get(self._verb, 0) for units in (step.whole, step.ahead))
        units = min(whole * steps / self._total, ahead)
        step.add(self._verb, units)
        for bar in paced:
            assert bar._pace is not None
            bar._pace.add(self._verb, units, seconds=seconds)

    def _drop(self, rest: Pace) -> None:
        for kind, units in rest.ahead.items():
            for bar in [self, *self._around]:
                if bar._pace is not None:
                    bar._pace.add(kind, units)


@contextmanager
def progress_bar(
    verb: str,
    subject: str,
    total: float,
    done: float = 0,
    *,
    unit: str = "",
    ahead: Mapping[str, float] | None = None,
    shown: bool = True,
) -> Iterator[Bar]:
    """Show a bar with counts, elapsed time and time left while the block runs.

    Entered inside another one, it is below it and vanishes with its block. Where there is no
    terminal, a line is logged for each ``unit``, or now and then.

    Args:
        verb: what is done, such as ``train``.
        subject: what it is done to.
        total: number of steps.
        done: steps that an earlier call has done.
        unit: what a step is called; each is worth a line in the log.
        ahead: where steps take different time, the units of work in all of them, by the verbs of
            the bars inside; `Bar.expect` then says what the next step consists of.
        shown: False for one that nobody sees, as in a process beside others.
    """
    pace = None if ahead is None else Pace(ahead)
    bar = Bar(verb, subject, total, done, unit=unit, pace=pace, shown=shown)
    if not shown:
        yield bar
        return
    _open.append(bar)
    try:
        with screen.showing(bar):
            yield bar
    finally:
        _open.remove(bar)
        bar.end()
