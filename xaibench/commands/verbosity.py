"""How much the command that runs is to tell."""

import logging

QUIET, VERBOSE = logging.CRITICAL, logging.DEBUG


class Verbosity:
    """How much a command tells."""

    def __init__(self) -> None:
        self.level = logging.INFO

    @property
    def quiet(self) -> bool:
        """Whether nothing but errors is printed."""
        return self.level >= QUIET

    @property
    def verbose(self) -> bool:
        """Whether tracebacks are printed."""
        return self.level <= VERBOSE
