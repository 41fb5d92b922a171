"""What every executor has to do, tried in one go, as workers take long to start."""

import logging
import signal

from torch_toys import count_threads
from toys import do

from xaibench.core.errors import XaibenchError
from xaibench.executors.schedule import Resources, SkippedError, Task, WorkerCrashError


def task(key, *work, after=(), **more):
    return Task(key, work or ("write", key), frozenset(after), **more)


def check_contract(executor, out, caplog, *, workers_die=True, **resources):
    """Try all at once: an order to keep, failures, busy tasks, deaths, records."""
    tasks = [
        task("busy", "busy_at_first", "busy", 0.7),
        task("third", "read", "first", "second", after=("first", "second")),
        task("second", after=("first",)),
        task("first"),
        task("bad", "fail"),
        task("quits", "quit_all", 0),
        task("needs bad", after=("bad", "first")),
        task("needs that", after=("needs bad",)),
        task("no data", "lack"),
        task("local", "fail_locally"),
        task("telling", "tell"),
    ]
    if workers_die:
        tasks += [
            task("code", "answer_with_code"),
            task("dies once", "die", "d1", 1),
            task("is ended once", "die", "d3", 1, signal.SIGTERM),
            task("dies always", "die", "d2", 99),
            task("needs the dead", after=("dies always",)),
        ]
    caplog.set_level(logging.INFO, "xaibench")
    found = list(executor(do, tasks, Resources(out, **resources)))
    done = {each.task.key: each for each in found}
    assert len(found) == len(tasks) == len(done)
    assert all((each.error is None) or (each.answer is None) for each in found)
    order = [each.task.key for each in found]
    assert order.index("first") < order.index("second") < order.index("third")
    assert order[0] != "busy"
    assert done["third"].answer == ["first", "second"]
    assert done["busy"].error is None
    _check_errors(done)
    _check_records(caplog)
    if workers_die:
        assert isinstance(done["code"].error, Exception)
        assert done["dies once"].answer == done["is ended once"].answer == 2
        assert (out / "d2").read_text() == "xxx"  # begun, and begun again twice
        assert isinstance(done["dies always"].error, WorkerCrashError)
        assert "perhaps out of memory" in str(done["dies always"].error)
        assert "needs dies always, which failed: its" in str(done["needs the dead"].error)
        again = [line for line in caplog.messages if "it is begun again" in line]
        assert sorted(line.split(":")[0] for line in again) == [
            *["dies always"] * 2, "dies once", "is ended once"
        ]  # fmt: skip


def check_threads(executor, out, **resources):
    """The number of threads is as told, whatever the environment of the tests says."""
    (done,) = executor(count_threads, [task("count")], Resources(out, threads=2, **resources))
    assert done.answer == (2, {2})


def _check_errors(done):
    assert repr(done["bad"].error) == r"ValueError('no\ngood')"
    assert type(done["no data"].error).__mro__[-4] is XaibenchError
    assert str(done["no data"].error) == "no data; fetch them"
    assert repr(done["local"].error) == "LocalError('here')"
    assert repr(done["quits"].error) == "SystemExit(0)"
    for key in ("needs bad", "needs that"):
        assert isinstance(done[key].error, SkippedError)
    why = str(done["needs bad"].error)
    assert why == r"it needs bad, which failed: ValueError('no\ngood')"
    assert str(done["needs that"].error) == why


def _check_records(caplog):
    told = [record for record in caplog.records if record.name == "xaibench.toys"]
    assert [record.levelname for record in told] == ["INFO", "WARNING"]
    assert told[0].getMessage() == "half of 2"
    assert "ValueError: no" in caplog.text
