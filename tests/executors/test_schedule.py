import time

import pytest
from contract import check_contract, check_threads, task

from xaibench.core.errors import XaibenchError
from xaibench.executors.find import EXECUTORS
from xaibench.executors.schedule import Busy, Queue, Resources, WorkerCrashError
from xaibench.setup.options import make_options


def finish(queue, key, error=None):
    taken = queue.take()
    assert taken.key == key
    return [done.task.key for done in queue.settle(taken, None, error)]


def test_tasks_come_in_order_unless_they_wait():
    queue = Queue([task("c", after="ab"), task("a"), task("b", after="a"), task("d")])
    assert finish(queue, "a") == ["a"]
    assert finish(queue, "d") == ["d"]
    first = queue.take()
    assert queue.take() is None
    assert queue.pause is None
    assert queue.is_open
    assert [done.task.key for done in queue.settle(first, 1)] == ["b"]
    assert finish(queue, "c") == ["c"]
    assert not queue.is_open


def test_a_busy_task_lets_all_others_go_first_and_rests():
    queue = Queue([task("a"), task("b")])
    assert finish(queue, "a", Busy()) == []
    assert finish(queue, "b") == ["b"]
    assert queue.take() is None
    assert 0.3 < queue.pause <= 0.5
    time.sleep(queue.pause)
    assert finish(queue, "a") == ["a"]


def test_a_failure_takes_all_that_needs_it_and_nothing_else():
    queue = Queue([task("a"), task("c", after="b"), task("b", after="a"), task("d"),
                   task("e", after="cd")])  # fmt: skip
    assert sorted(finish(queue, "a", ValueError())) == ["a", "b", "c", "e"]
    assert finish(queue, "d") == ["d"]
    assert not queue.is_open


def test_a_lost_task_is_the_next_one_until_it_was_lost_too_often():
    queue = Queue([task("a"), task("b"), task("c", after="a")], retries=1)
    assert list(queue.crash(queue.take(), "signal 9")) == []
    found = list(queue.crash(queue.take(), "signal 11"))
    assert [done.task.key for done in found] == ["a", "c"]
    assert isinstance(found[0].error, WorkerCrashError)
    assert str(found[0].error) == "its process died (signal 11)"


@pytest.mark.parametrize(
    "tasks",
    [
        [task("a"), task("a")],
        [task("a", after="b")],
        [task("a", after="b"), task("b", after="a"), task("c")],
    ],
    ids=["the same key", "an unknown one", "a circle"],
)
def test_what_would_wait_for_ever_is_refused(tasks):
    with pytest.raises(ValueError, match=r"same key|unknown ones: b|cycle"):
        Queue(tasks)


def test_serial_keeps_the_contract(tmp_path, caplog):
    check_contract(EXECUTORS.load("serial"), tmp_path, caplog, workers_die=False)


def test_serial_uses_as_many_threads_as_told(tmp_path):
    check_threads(EXECUTORS.load("serial"), tmp_path)


def test_an_unknown_executor_is_named_with_those_that_are():
    with pytest.raises(
        XaibenchError, match=r"--executor slurm: there is none .* one of serial, processes, ray\."
    ):
        EXECUTORS.load("slurm")
    for name in ("serial", "processes"):
        assert EXECUTORS.load(name).__name__ == name


def test_a_package_brings_an_executor_by_an_entry_point(tmp_path, monkeypatch):
    (tmp_path / "backwards.py").write_text(
        "from xaibench.executors.serial import serial\n"
        "def backwards(do, tasks, means):\n"
        "    yield from serial(do, tasks[::-1], means)\n"
    )
    about = tmp_path / "backwards-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: backwards\nVersion: 1.0\n")
    names = "backwards = backwards:backwards\nbroken = no_such_module:broken\n"
    (about / "entry_points.txt").write_text(f"[xaibench.executors]\n{names}")
    monkeypatch.syspath_prepend(tmp_path)
    options = make_options({"executor": "backwards"}, {})
    tasks = [task("a"), task("b")]
    done = EXECUTORS.load(options.executor)(str, tasks, Resources(tmp_path))
    assert [each.task.key for each in done] == ["b", "a"]
    with pytest.raises(XaibenchError, match="broken: the package 'backwards' that brings it"):
        EXECUTORS.load("broken")
    with pytest.raises(XaibenchError, match=r"there is none .*did you mean 'backwards'"):
        make_options({"executor": "backward"}, {})


def test_without_ray_one_line_says_how_to_get_it(monkeypatch):
    for name in ("ray", "xaibench.executors.ray", "xaibench.executors.cluster"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    monkeypatch.delitem(__import__("sys").modules, "xaibench.executors.ray")
    with pytest.raises(XaibenchError, match=r"ray is not installed; pip install 'xaibench\[ray\]'"):
        EXECUTORS.load("ray")
