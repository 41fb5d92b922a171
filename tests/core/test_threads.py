"""Many things by threads: in order, all of them, and never all at once."""

import threading

from xaibench.core import threads
from xaibench.core.threads import map_by_threads


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
