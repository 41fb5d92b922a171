import itertools
import os
import signal
import sys
from multiprocessing import active_children

import pytest
from contract import check_contract, check_threads, task
from ending import end_scheduler, runs
from toys import do

from xaibench.core.errors import XaibenchError
from xaibench.executors import machine
from xaibench.executors.processes import processes
from xaibench.executors.schedule import Resources

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def answers(tasks, resources):
    return {done.task.key: done.error or done.answer for done in processes(do, tasks, resources)}


@pytest.mark.slow
def test_it_keeps_the_contract(tmp_path, caplog):
    check_contract(processes, tmp_path, caplog, workers=2)
    assert active_children() == []


@pytest.mark.slow
def test_threads_are_as_told(tmp_path):
    check_threads(processes, tmp_path, workers=1)


def test_two_tasks_are_done_at_the_same_time(tmp_path):
    tasks = [task("a", "meet", "a", "b"), task("b", "meet", "b", "a")]
    met = answers(tasks, Resources(tmp_path, workers=2))
    assert len({*met.values(), os.getpid()}) == 3


def test_each_worker_has_a_gpu_and_its_threads_from_the_start(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-ab")
    monkeypatch.setattr(machine, "count_cores", lambda: 3)
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY")
    before = dict(os.environ)
    tasks = [task("a", "meet", "a", "b"), task("b", "meet", "b", "a")]
    tasks += [task(f"{n}", "variables", *names, after="ab") for n in range(2)]
    tasks += [task("c", "meet", "c", "d"), task("d", "meet", "d", "c")]
    found = answers(tasks, Resources(tmp_path, threads=2, cuda=True))
    assert {found[n]["CUDA_VISIBLE_DEVICES"] for n in "01"} <= {"5", "GPU-ab"}
    assert found["0"] | {"CUDA_VISIBLE_DEVICES": ""} == {
        "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2",
        "OMP_WAIT_POLICY": "passive",
    }  # fmt: skip
    assert os.environ == before
    (warning,) = (line for line in caplog.messages if "share" in line)
    assert warning.startswith("2 workers of 2 threads share 3 cores: fewer")


def test_how_many_workers_there_are(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    monkeypatch.setattr(machine, "count_cores", lambda: 7)
    count = machine.count_workers
    assert count(Resources(tmp_path, cuda=True)) == 3
    assert count(Resources(tmp_path, cuda=True, workers=5)) == 5
    assert count(Resources(tmp_path, threads=2)) == 3
    assert count(Resources(tmp_path, threads=9)) == 1
    gpus = [machine.gpu_of(Resources(tmp_path, cuda=True), number) for number in range(4)]
    assert [gpu["CUDA_VISIBLE_DEVICES"] for gpu in gpus] == ["0", "1", "2", "0"]
    assert machine.gpu_of(Resources(tmp_path), 1) == {}


@pytest.mark.slow
def test_what_ended_a_worker_is_said(tmp_path):
    tasks = [task("left", "leave", 3), task("crashed", "die", "d", 9, signal.SIGSEGV), task("fine")]
    found = answers(tasks, Resources(tmp_path, workers=1, retries=0))
    assert str(found["left"]) == "its process died (exit code 3)"
    assert str(found["crashed"]) == "its process died (signal 11)"
    assert found["fine"] == "fine"


def test_a_script_that_guards_nothing_is_told_so(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text("raise RuntimeError('run as a script')")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    with pytest.raises(XaibenchError, match="must be below its `if __name__ == '__main__':`"):
        answers([task("a")], Resources(tmp_path, workers=1))


@on_linux
def test_closing_it_early_leaves_no_process(tmp_path):
    tasks = [task("a", "meet", "a", "b"), task("b", "meet", "b", "a"), task("c", "sleep", "s")]
    running = processes(do, tasks, Resources(tmp_path, workers=2))
    met = [done.answer for done in itertools.islice(running, 2)]
    assert all(map(runs, met))
    running.close()
    assert not any(map(runs, met))


@on_linux
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_however_it_ends_its_workers_end_silently(tmp_path, how, code):
    assert end_scheduler("processes", tmp_path, how) == (code, "")
