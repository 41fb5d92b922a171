"""Downloads from a real server that cuts the line."""

import hashlib
import json
import re
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from archives import CONTENT, FOLDER, check, make_tar, make_zip

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.archives import Archive, known_archives
from xaibench.core.reading.fetch import fetch_archive


class Server(ThreadingHTTPServer):
    """Serves one file; ``cuts`` says after how many bytes of the body each answer breaks off."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = make_zip(CONTENT)
        self.cuts, self.sent, self.requests = [], 0, []
        self.ranges, self.status, self.elsewhere = True, 200, ""

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
        if server.elsewhere:
            self.send_response(302)
            self.send_header("Location", server.elsewhere)
            self.end_headers()
            return
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


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """Where downloads are remembered."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "xaibench" / "downloads.json"


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(server, root):
    return fetch_archive(Archive(server.url), root, FOLDER, "b.txt")


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
        fetch_archive(Archive(server.url), tmp_path, FOLDER, "b.txt", name="ours.tgz")
    fetch_archive(Archive(server.url), tmp_path, FOLDER, "b.txt", name="ours.tgz")
    assert len(server.requests) == 3
    check(tmp_path)


def test_archive_put_there_by_hand_is_used_and_kept(tmp_path):
    (tmp_path / "data.zip").write_bytes(make_zip(CONTENT))
    fetch_archive(Archive("http://127.0.0.1:9/data.zip"), tmp_path, FOLDER, "b.txt")
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
        fetch_archive(Archive("http://127.0.0.1:9/data.zip"), tmp_path, FOLDER, "b.txt")


def test_web_page_instead_of_an_archive_is_not_kept(server, tmp_path):
    server.body = b"<html>Please log in</html>"
    with pytest.raises(XaibenchError, match="not an intact zip or tar archive"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_root_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(XaibenchError, match="cannot write there"):
        get(server, tmp_path / "file" / "root")


def published(server, **changed):
    facts = {"size": len(server.body), "sha256": hashlib.sha256(server.body).hexdigest()}
    return Archive(server.url, **{**facts, **changed})


def test_what_is_published_of_an_archive_holds_before_it_is_unpacked(server, tmp_path, cache):
    fetch_archive(published(server), tmp_path / "good", FOLDER, "b.txt")
    check(tmp_path / "good")
    for changed, message in (
        ({"sha256": "0" * 64}, "its SHA-256 is another"),
        ({"size": len(server.body) - 1}, f"offers {len(server.body):,} bytes and not"),
    ):
        with pytest.raises(XaibenchError, match=message):
            fetch_archive(published(server, **changed), tmp_path / "bad", FOLDER, "b.txt")
        assert list((tmp_path / "bad").iterdir()) == []
    assert not cache.exists()


def test_an_archive_without_a_published_checksum_is_compared_with_the_first(
    server, tmp_path, cache, caplog
):
    caplog.set_level("INFO", "xaibench")
    get(server, tmp_path / "a")
    sha256 = hashlib.sha256(server.body).hexdigest()
    assert f"unverified, as nobody has published a checksum of it; SHA-256 {sha256}" in caplog.text
    assert json.loads(cache.read_text())[server.url]["size"] == len(server.body)
    get(server, tmp_path / "b")
    assert "unverified, but the same file as on 20" in caplog.text
    server.body = make_zip({**CONTENT, f"{FOLDER}/b.txt": b"c"})
    with pytest.raises(XaibenchError, match=r"another file than at the first.*downloads\.json"):
        get(server, tmp_path / "c")
    assert list((tmp_path / "c").iterdir()) == []
    cache.unlink()
    get(server, tmp_path / "c")
    cache.write_text("{")
    with pytest.raises(XaibenchError, match=r"downloads\.json: not readable.*fix or remove it"):
        get(server, tmp_path / "d")


def test_a_mirror_goes_on_where_the_first_address_broke_off(server, tmp_path, caplog):
    archive = replace(published(server), url="http://127.0.0.1:9/data.zip", mirrors=(server.url,))
    (tmp_path / "data.zip.part").write_bytes(server.body[:1000])
    fetch_archive(archive, tmp_path, FOLDER, "b.txt")
    assert "127.0.0.1:9/data.zip: the connection failed or broke off; trying" in caplog.text
    assert server.requests == ["bytes=1000-"]
    check(tmp_path)
    with pytest.raises(ValueError, match="mirrors without a checksum"):
        Archive(server.url, mirrors=(server.url,))


def test_nothing_comes_over_an_address_that_is_not_https(server, tmp_path):
    with pytest.raises(XaibenchError, match=r"http://127\.0\.0\.2:9/a\.zip: not an https address"):
        fetch_archive(Archive("http://127.0.0.2:9/a.zip"), tmp_path, FOLDER, "b.txt")
    server.elsewhere = "http://127.0.0.2:9/a.zip"
    with pytest.raises(XaibenchError, match=r"http://127\.0\.0\.2:9/a\.zip: not an https address"):
        get(server, tmp_path)


def test_every_known_archive_is_https_and_says_who_published_what():
    for name, archive in known_archives().items():
        assert all(url.startswith("https://") for url in (archive.url, *archive.mirrors)), name
        assert bool(archive.source) == bool(archive.size or archive.sha256), name
        assert not archive.sha256 or re.fullmatch("[0-9a-f]{64}", archive.sha256), name
