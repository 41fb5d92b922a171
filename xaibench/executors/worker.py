"""A worker process: it does what comes over its line, and ends with the process that started it."""

import logging
import os
import pickle
import signal
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from threading import Lock, Thread
from typing import NamedTuple

from xaibench.core.screen import screen
from xaibench.executors.outcome import Outcome, attempt, portable
from xaibench.executors.records import sent_by
from xaibench.executors.threads import limited_threads


class Started(NamedTuple):
    """What a worker says first."""

    process: int


def work_off(line: Connection, threads: int, level: int) -> None:
    """Do task by task until the line is closed.

    Args:
        line: brings pickled ``(do, payload, out)``; takes `Started`, then log records and, for each
            task, its `Outcome`.
        threads: CPU threads of each task.
        level: of log records, the least that is sent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that schedules
    Thread(target=_end_with_parent, daemon=True).start()
    screen.silent = True
    lock = Lock()

    def send(message: Started | logging.LogRecord | Outcome) -> None:
        with lock:  # tasks may log from threads of their own
            line.send(message)

    with sent_by(send, level):
        send(Started(os.getpid()))
        while True:
            try:
                order = line.recv_bytes()
            except EOFError:
                return
            send(portable(_follow(order, threads)))


def _follow(order: bytes, threads: int) -> Outcome:
    try:
        do, payload, out = pickle.loads(order)  # our own: from the process that started this one
    except Exception as error:
        return Outcome(error=error)
    with limited_threads(threads):
        return attempt(do, payload, out)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
