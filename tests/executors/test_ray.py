import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from contract import check_contract, check_threads, task
from ending import await_end, end_scheduler
from toys import do, wait_for, write

from xaibench.core.errors import XaibenchError
from xaibench.executors.find import EXECUTORS
from xaibench.executors.schedule import Resources

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
ray = pytest.importorskip("ray")
executor = EXECUTORS.load("ray")


@pytest.fixture(scope="module")
def cluster():
    """Two workers on this machine; executors use the cluster that they are connected to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where workers find the toys
        patch.delenv("XAIBENCH_DATA", raising=False)
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False,
                 logging_level=logging.CRITICAL, object_store_memory=100_000_000)  # fmt: skip
        patch.setenv("XAIBENCH_DATA", "/a/b")  # which the workers don't know
        yield
    ray.shutdown()


def interrupt_when_there(path, running):
    """Press Ctrl-C, as it were, while tasks are waited for."""

    def press():
        wait_for(path)
        signal.raise_signal(signal.SIGINT)

    Thread(target=press, daemon=True).start()
    next(running)


@pytest.mark.usefixtures("cluster")
def test_it_keeps_the_contract_also_where_workers_are_killed(tmp_path, caplog):
    check_contract(executor, tmp_path, caplog, workers=2)


@pytest.mark.usefixtures("cluster")
def test_threads_are_as_told(tmp_path):
    check_threads(executor, tmp_path)


@pytest.mark.usefixtures("cluster")
def test_tasks_meet_and_know_where_the_data_is(tmp_path):
    tasks = [task("a", "meet", "a", "b"), task("b", "meet", "b", "a"),
             task("c", "variables", "XAIBENCH_DATA", after="ab")]  # fmt: skip
    found = {done.task.key: done.answer for done in executor(do, tasks, Resources(tmp_path))}
    assert len({found["a"], found["b"], os.getpid()}) == 3
    assert found["c"] == {"XAIBENCH_DATA": "/a/b"}


@pytest.mark.usefixtures("cluster")
def test_workers_that_see_no_output_leave_the_same_files(tmp_path):
    for name in ("models/a/model.pt", "models/a/old.csv", "models/b/model.pt"):
        write(tmp_path, name)
    tasks = [
        task("train", "change", reads=("models/a",)),
        task("read", "read", "models/a/model.pt", after=("train",), reads=("models/a",)),
        task("unseen", "read", "models/b/model.pt", reads=("models/a",)),
        task("join", "variables", local=True, after=("read",)),
        task("here", "write", "joined", local=True, after=("join",)),
    ]
    resources = Resources(tmp_path, shared=False)
    found = {done.task.key: done for done in executor(do, tasks, resources)}
    assert found["train"].answer == ["models/a/model.pt", "models/a/old.csv"]
    assert found["read"].answer == ["trained"]
    assert isinstance(found["unseen"].error, FileNotFoundError)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"cells/a/cell.json", "cells/a/parts/0/scores.csv", "joined",
                    "models/a/model.pt", "models/b/model.pt"}  # fmt: skip


@on_linux
@pytest.mark.usefixtures("cluster")
def test_closing_it_early_ends_what_is_at_work(tmp_path):
    tasks = [task("a"), task("b", "sleep", "s", after="a"), task("c", "busy_at_first", "c", 600)]
    running = executor(do, tasks, Resources(tmp_path))
    assert next(running).task.key == "a"
    with pytest.raises(KeyboardInterrupt):
        interrupt_when_there(tmp_path / "s", running)
    assert ray.is_initialized()
    (process,) = wait_for(tmp_path / "s")
    await_end([int(process)])


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:9", r"--address 127\.0\.0\.1:9: nobody answers there .* `ray start --head`"),
        ("ray://a:1", "write auto, or host:port"),
        ("auto", "--address auto: no Ray cluster can be reached from here"),
    ],
)
def test_a_cluster_that_is_not_there_is_one_line(address, message, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if ray.is_initialized():  # by a test before; an executor would use that
        ray.shutdown()
    with pytest.raises(XaibenchError, match=message):
        list(executor(do, [task("a")], Resources(tmp_path, address=address)))


@pytest.mark.slow
@on_linux
def test_where_its_node_dies_it_goes_on_with_another(tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    if ray.is_initialized():
        ray.shutdown()

    def kill_node():
        wait_for(tmp_path / "begun")
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # others come and go
                parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
                name = Path((place / "cmdline").read_text().partition("\0")[0]).name
                if (int(parent), name) == (os.getpid(), "raylet"):
                    os.kill(int(place.name), signal.SIGKILL)

    tasks = [task("a"), task("b", "busy_at_first", "begun", 2, after="a"),
             task("c", "write", "c", after="b")]  # fmt: skip
    running = executor(do, tasks, Resources(tmp_path, workers=1, retries=1))
    found = [next(running)]
    Thread(target=kill_node, daemon=True).start()
    found += running
    assert [(done.task.key, done.error) for done in found] == [(key, None) for key in "abc"]
    assert "b: its process died (its machine was lost: LocalRayletDiedError)" in caplog.text
    assert not ray.is_initialized()


@pytest.mark.slow
@on_linux
def test_killed_it_takes_its_cluster_along_silently(tmp_path):
    assert end_scheduler("ray", tmp_path, signal.SIGKILL) == (-signal.SIGKILL, "")
