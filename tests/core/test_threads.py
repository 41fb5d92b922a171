"""Many things by threads: in order, all of them, and never all at once."""

import threading

from xaibench.core import threads
from xaibench.core.threads import map_by_threads, map_over_files


def test_all_come_in_order_and_few_wait(monkeypatch):
    monkeypatch.setattr(threads, "_AT_ONCE", 10)
    begun, lock = [], threading.Lock()

    def double(number):
        with lock:
            begun.append(number)
        return 2 * number

    found = map_by_threads(double, range(95), 3)
    assert next(found) == 0
    assert max(begun) < 10
    assert [0, *found] == [2 * number for number in range(95)]
    assert list(map_by_threads(double, [], 3)) == []


def test_files_are_read_by_several_threads_only_where_the_first_are_slow(monkeypatch):
    for slow, several in ((-1.0, True), (60.0, False)):
        monkeypatch.setattr(threads, "_SLOW", slow)
        used = []

        def read(number, used=used):
            used.append(threading.current_thread())
            return 2 * number

        assert list(map_over_files(read, range(150), 3)) == [2 * number for number in range(150)]
        assert set(used[:64]) == {threading.main_thread()}
        assert (threading.main_thread() not in used[64:]) == several
    assert list(map_over_files(str, [], 3)) == []
