"""Downloads from a real server that cuts the line, and archives that mean harm."""

import io
import re
import stat
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from xaibench.core import fetch
from xaibench.core.errors import XaibenchError
from xaibench.core.fetch import extract_zip, fetch_zip

FOLDER = "Data"
CONTENT = {f"{FOLDER}/a/1.bin": np.random.default_rng(0).bytes(700_000), f"{FOLDER}/b.txt": b"b"}


def make_zip(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Serves one file; ``cuts`` says after how many bytes of the body each answer breaks off."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = make_zip(CONTENT)
        self.cuts, self.sent, self.requests = [], 0, []
        self.ranges, self.status = True, 200

    def handle_error(self, request, client_address):
        # A client that has read enough, say an error status, hangs up on the rest.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/some/data.zip"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers["Range"]
        server.requests.append(asked)
        start, status, size = 0, server.status, len(server.body)
        if asked and server.ranges:
            start, status = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]), 206
        self.send_response(416 if start >= size else status)
        if start >= size:
            self.send_header("Content-Range", f"bytes */{size}")
            start = size
        elif status == 206:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else size
        body = server.body[start:][:cut]
        server.sent += len(body)
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(server, root):
    return fetch_zip(server.url, root, FOLDER, "b.txt")


def check(root):
    assert {
        f"{FOLDER}/{path.relative_to(root / FOLDER).as_posix()}": path.read_bytes()
        for path in (root / FOLDER).rglob("*")
        if path.is_file()
    } == CONTENT
    assert [path.name for path in root.iterdir()] == [FOLDER]


def test_plain_download_leaves_the_folder_and_nothing_else(server, tmp_path):
    assert get(server, tmp_path / "new" / "root") == tmp_path / "new" / "root" / FOLDER
    check(tmp_path / "new" / "root")


def test_the_next_call_continues_where_the_line_was_cut(server, tmp_path):
    server.cuts = [300_000, 0]
    with pytest.raises(XaibenchError) as error:
        get(server, tmp_path)
    message = str(error.value)
    for part in (server.url, str(tmp_path / "data.zip"), str(tmp_path / FOLDER / "b.txt")):
        assert part in message
    arrived = (tmp_path / "data.zip.part").stat().st_size
    assert 200_000 < arrived <= 300_000
    assert not (tmp_path / FOLDER).exists()

    server.sent, server.requests = 0, []
    get(server, tmp_path)
    assert server.requests == [f"bytes={arrived}-"]
    assert server.sent == len(server.body) - arrived
    check(tmp_path)


def test_one_call_survives_cuts_while_bytes_arrive(server, tmp_path):
    server.cuts = [150_000, 150_000, 150_000]
    get(server, tmp_path)
    assert len(server.requests) == 4
    assert server.sent < len(server.body) + 3 * 64 * 1024
    check(tmp_path)


def test_server_that_ignores_ranges_starts_anew(server, tmp_path):
    server.ranges = False
    (tmp_path / "data.zip.part").write_bytes(b"x" * 1000)
    get(server, tmp_path)
    assert server.requests == ["bytes=1000-"]
    check(tmp_path)


def test_complete_part_is_not_loaded_again(server, tmp_path):
    (tmp_path / "data.zip.part").write_bytes(server.body)
    get(server, tmp_path)
    assert server.sent == 0
    check(tmp_path)


def test_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    (tmp_path / "data.zip.part").write_bytes(server.body + b"x")
    get(server, tmp_path)
    assert server.requests == [f"bytes={len(server.body) + 1}-", None]
    check(tmp_path)


def test_archive_put_there_by_hand_is_used_and_kept(tmp_path):
    (tmp_path / "data.zip").write_bytes(make_zip(CONTENT))
    fetch_zip("http://127.0.0.1:9/data.zip", tmp_path, FOLDER, "b.txt")
    assert (tmp_path / FOLDER / "b.txt").read_bytes() == b"b"
    assert (tmp_path / "data.zip").exists()


@pytest.mark.parametrize("status", [404, 503])
def test_status_is_reported(server, tmp_path, status):
    server.status = status
    with pytest.raises(XaibenchError, match=f"status {status}"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_connection(tmp_path):
    with pytest.raises(XaibenchError, match=r"127\.0\.0\.1:9/.*connection failed"):
        fetch_zip("http://127.0.0.1:9/data.zip", tmp_path, FOLDER, "b.txt")


def test_web_page_instead_of_an_archive_is_not_kept(server, tmp_path):
    server.body = b"<html>Please log in</html>"
    with pytest.raises(XaibenchError, match="not an intact zip archive"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_root_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(XaibenchError, match="cannot write there"):
        get(server, tmp_path / "file" / "root")


def link(name, target):
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{FOLDER}/ok.txt", b"ok")
        archive.writestr(member, target)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        make_zip({f"{FOLDER}/ok.txt": b"", f"{FOLDER}/../../evil.txt": b"evil"}),
        make_zip({f"{FOLDER}/ok.txt": b"", "/evil.txt": b"evil"}),
        make_zip({f"{FOLDER}/ok.txt": b"", f"{FOLDER}\\..\\..\\evil.txt": b"evil"}),
        make_zip({f"{FOLDER}/ok.txt": b"", "C:\\evil.txt": b"evil"}),
        link(f"{FOLDER}/evil", "/etc"),
        link(f"{FOLDER}/evil", "../.."),
    ],
)
def test_members_that_lead_outside_are_refused_before_anything_is_written(tmp_path, content):
    root = tmp_path / "inner" / "root"
    root.mkdir(parents=True)
    (root / "bad.zip").write_bytes(content)
    with pytest.raises(XaibenchError, match=r"bad\.zip: refused.*evil"):
        extract_zip(root / "bad.zip", root, FOLDER)
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "root", "bad.zip"]


def test_bombs_are_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{FOLDER}/zeros", bytes(10_000_000))
    with pytest.raises(XaibenchError, match=r"bomb\.zip: refused, unpacked .* 10,000,000 bytes"):
        extract_zip(tmp_path / "bomb.zip", tmp_path, FOLDER)
    monkeypatch.setattr(fetch, "MAX_BYTES", 600_000)
    (tmp_path / "large.zip").write_bytes(make_zip(CONTENT))
    with pytest.raises(XaibenchError, match=r"large\.zip: refused"):
        extract_zip(tmp_path / "large.zip", tmp_path, FOLDER)


def test_damage_is_found_and_nothing_half_made_stays(tmp_path):
    content = bytearray(make_zip(CONTENT))
    content[350_000] ^= 0xFF
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(XaibenchError, match=r"bad\.zip: not an intact zip"):
        extract_zip(tmp_path / "bad.zip", tmp_path, FOLDER)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.zip"]


def test_leftovers_of_a_kill_are_cleared_and_other_folders_left_out(tmp_path):
    (tmp_path / f".{FOLDER}.unpacking" / FOLDER).mkdir(parents=True)
    (tmp_path / f".{FOLDER}.unpacking" / FOLDER / "stale").write_text("")
    (tmp_path / "data.zip").write_bytes(make_zip({**CONTENT, "__MACOSX/x": b""}))
    extract_zip(tmp_path / "data.zip", tmp_path, FOLDER)
    (tmp_path / "data.zip").unlink()
    check(tmp_path)


def test_what_is_in_the_way_is_kept(tmp_path):
    for number in range(2):
        (tmp_path / FOLDER).mkdir(exist_ok=True)
        (tmp_path / FOLDER / "mine.txt").write_text(str(number))
        (tmp_path / "data.zip").write_bytes(make_zip(CONTENT))
        extract_zip(tmp_path / "data.zip", tmp_path, FOLDER)
    assert (tmp_path / f"{FOLDER}.old" / "mine.txt").read_text() == "0"
    assert (tmp_path / f"{FOLDER}.old2" / "mine.txt").read_text() == "1"
    assert not (tmp_path / FOLDER / "mine.txt").exists()


def test_archive_without_the_folder(tmp_path):
    (tmp_path / "data.zip").write_bytes(make_zip({"Other/x": b""}))
    with pytest.raises(XaibenchError, match=f"holds no folder {FOLDER}"):
        extract_zip(tmp_path / "data.zip", tmp_path, FOLDER)
