"""Downloads from a real server that cuts the line."""

import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from archives import CONTENT, FOLDER, check, make_tar, make_zip

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.fetch import fetch_archive


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
    return fetch_archive(server.url, root, FOLDER, "b.txt")


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


def test_a_tar_archive_under_a_name_of_ours(server, tmp_path):
    server.body = make_tar(CONTENT)
    server.cuts = [300_000, 0]
    with pytest.raises(XaibenchError, match=r"put the archive at .*/ours\.tgz by hand"):
        fetch_archive(server.url, tmp_path, FOLDER, "b.txt", archive="ours.tgz")
    fetch_archive(server.url, tmp_path, FOLDER, "b.txt", archive="ours.tgz")
    assert len(server.requests) == 3
    check(tmp_path)


def test_archive_put_there_by_hand_is_used_and_kept(tmp_path):
    (tmp_path / "data.zip").write_bytes(make_zip(CONTENT))
    fetch_archive("http://127.0.0.1:9/data.zip", tmp_path, FOLDER, "b.txt")
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
        fetch_archive("http://127.0.0.1:9/data.zip", tmp_path, FOLDER, "b.txt")


def test_web_page_instead_of_an_archive_is_not_kept(server, tmp_path):
    server.body = b"<html>Please log in</html>"
    with pytest.raises(XaibenchError, match="not an intact zip or tar archive"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_root_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(XaibenchError, match="cannot write there"):
        get(server, tmp_path / "file" / "root")
