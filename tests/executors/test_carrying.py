import os

import pytest
from toys import change, write

from xaibench.core.errors import XaibenchError
from xaibench.executors.carrying import Changes, apply, changes_since, pack, stamps_of, unpack


def test_a_task_elsewhere_leaves_the_same_files(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for name in ("models/a/model.pt", "models/a/old.csv", "models/b/model.pt", "splits/s.csv",
                 "models/a/.model.pt.7.tmp", "models/a/job.lock"):  # fmt: skip
        write(here, name)
    for place in ("models/a", "splits/s.csv", "cells/none"):
        unpack(pack(here, place), there)
    before = stamps_of(there)
    assert sorted(before) == ["models/a/model.pt", "models/a/old.csv", "splits/s.csv"]
    change(there)
    changes = changes_since(before, there)
    assert sorted(changes.files) == ["cells/a/cell.json", "cells/a/parts/0/scores.csv",
                                     "models/a/model.pt"]  # fmt: skip
    assert changes.gone == ("models/a/old.csv",)
    apply(changes, here)
    assert (here / "models/a/model.pt").read_text() == "trained"
    assert (here / "cells/a/cell.json").read_text() == "cells/a/cell.json"
    assert not (here / "models/a/old.csv").exists()
    assert (here / "models/b/model.pt").exists()


def test_a_file_written_again_with_the_same_size_and_time_counts(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one")
    before, time = stamps_of(tmp_path), path.stat().st_mtime_ns
    (tmp_path / "b.txt").write_text("two")
    os.utime(tmp_path / "b.txt", ns=(time, time))
    (tmp_path / "b.txt").replace(path)
    assert changes_since(before, tmp_path) == Changes({"a.txt": b"two"}, ())


def test_records_are_written_last_and_not_at_all_where_another_file_fails(tmp_path):
    (tmp_path / "taken").write_text("a file where a folder is needed")
    changes = Changes({"cell.json": b"{}", "parts/part.json": b"{}", "z.csv": b"1",
                       "taken/a.csv": b"2"}, ())  # fmt: skip
    with pytest.raises(XaibenchError, match=r"taken/a\.csv can't be written|taken"):
        apply(changes, tmp_path)
    assert not list(tmp_path.rglob("*.json"))
    assert not list(tmp_path.rglob("*.tmp"))


def test_records_have_an_order(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("xaibench.executors.carrying._write", lambda path, _: written.append(path))
    names = ["a/cell.json", "a/parts/1/part.json", "a/scores.csv", "b/model.json", "b/model.pt"]
    apply(Changes(dict.fromkeys(names, b""), ()), tmp_path)
    assert [path.name for path in written] == ["scores.csv", "model.pt", "part.json", "model.json",
                                               "cell.json"]  # fmt: skip
