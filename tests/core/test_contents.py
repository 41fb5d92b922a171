"""The content of files counts, whatever their sizes and times say; hashes are remembered."""

import hashlib
import os
import sqlite3

import pytest

from xaibench.core import contents
from xaibench.core.contents import content_of, contents_of
from xaibench.core.known_code import cache_folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(contents, "_known", {})
    return tmp_path / "cache" / "xaibench" / "contents.sqlite"


@pytest.fixture
def old(tmp_path, monkeypatch):
    """A file that was written long ago, as far as the clock says."""
    path = tmp_path / "mask.bmp"
    path.write_bytes(b"abcd")
    monkeypatch.setattr(contents, "_SETTLED", -(10**18))
    return path


def sha(content):
    return hashlib.sha256(content).hexdigest()


def test_it_is_the_sha256_and_empty_without_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abcd")
    wanted = [tmp_path / "a", tmp_path / "none", tmp_path / ("x" * 300)]
    assert list(contents_of(wanted).values()) == [sha(b"abcd"), "", ""]


def test_a_folder_is_what_its_files_hold(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "one").write_bytes(b"1")
    before = content_of(folder)
    (folder / "one").write_bytes(b"2")
    assert before == f"one={sha(b'1')}" != content_of(folder)


def test_what_has_not_changed_is_read_once_even_by_another_process(old, monkeypatch):
    content_of(old)
    monkeypatch.setattr(contents, "_known", {})
    monkeypatch.setattr(contents, "checksum", lambda _path: pytest.fail("it was read again"))
    assert content_of(old) == sha(b"abcd")


def test_reading_shows_a_bar_and_nothing_does_where_nothing_is_read(old, monkeypatch):
    bars, shown = [], contents.progress_bar

    def watch(*words):
        bars.append(words)
        return shown(*words)

    monkeypatch.setattr(contents, "progress_bar", watch)
    contents_of([old])
    contents_of([old])
    assert bars == [("read", "contents of files", 1)]


def test_a_change_in_place_shows_though_size_and_time_are_kept(old):
    about = old.stat()
    content_of(old)
    with old.open("r+b") as file:
        file.write(b"dcba")
    os.utime(old, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert content_of(old) == sha(b"dcba")


def test_a_file_that_has_just_been_written_is_not_remembered(tmp_path, cache):
    (tmp_path / "new").write_bytes(b"1")
    content_of(tmp_path / "new")
    assert not contents._known
    assert (
        not cache.exists()
        or not sqlite3.connect(cache).execute("select * from contents").fetchall()
    )


@pytest.mark.parametrize("damage", [b"no database at all" * 99, b""])
def test_a_damaged_cache_is_made_anew(old, cache, damage, monkeypatch):
    content_of(old)
    cache.write_bytes(damage)
    monkeypatch.setattr(contents, "_known", {})
    assert content_of(old) == sha(b"abcd")
    monkeypatch.setattr(contents, "_known", {})
    assert content_of(old) == sha(b"abcd")
    assert sqlite3.connect(cache).execute("select count(*) from contents").fetchone() == (1,)


def test_without_a_place_for_the_cache_everything_is_read(old, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert content_of(old) == sha(b"abcd")
    assert cache_folder().parent.is_file()
