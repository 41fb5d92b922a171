"""A static site of publications: stored boards, templates, and nothing of a stranger that acts."""

import re
from dataclasses import replace
from urllib.parse import unquote

import pandas as pd
import pytest
from frames import NAN, RUN, rows_of, rows_on_board
from publications import MARKUP, published

from xaibench.core.errors import XaibenchError
from xaibench.report.judging.estimates import to_frame
from xaibench.report.judging.stored_board import read_board
from xaibench.report.site import build_site
from xaibench.report.site_pages import INDEX
from xaibench.results.integrity import read_record, write_record
from xaibench.results.records import RunRecord
from xaibench.results.seal import seal


def test_a_stored_board_comes_back_as_it_was(tmp_path):
    scores = rows_of("gradcam", "iou", [0.25, 0.5, NAN]) + rows_of("center", "iou", [0.1] * 3)
    for metric in ("drop", "outside"):
        scores += rows_of("gradcam", metric, [0.3, 0.2, 0.1])
    rows = rows_on_board(scores)
    to_frame(rows, RUN.protocol_hash).to_csv(tmp_path / "leaderboard.csv", index=False)
    again = to_frame(read_board(tmp_path, RUN), RUN.protocol_hash)
    first = to_frame(rows, RUN.protocol_hash)
    assert list(again["model"]) == list(first["model"])  # empty where a control is the same
    pd.testing.assert_frame_equal(again, first)
    assert read_board(tmp_path / "nothing", RUN) == []
    text = (tmp_path / "leaderboard.csv").read_text()
    for old, new, match in (
        ("0.375", "three", "no board of this run"),
        ("drop_low", "fall_low", "no board of this run"),
        (RUN.protocol_hash, "0" * 16, "of another protocol"),
    ):
        (tmp_path / "leaderboard.csv").write_text(text.replace(old, new))
        with pytest.raises(XaibenchError, match=match):
            read_board(tmp_path, RUN)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return a site of two boards on one dataset, the older one with a hostile method."""
    place = tmp_path_factory.mktemp("site")
    published(place / "in" / "new", date="2026-03-04", mean=0.65)
    published(place / "in" / "old & <b>", name=MARKUP)
    published(place / "in" / "older", date="2025-03-04", seeds=[0, 1])
    build_site([place / "in"], place / "out")
    return place / "out"


def test_every_link_of_a_site_leads_to_a_file_of_it(site):
    assert {path.name for path in site.glob("*.html")} == {INDEX, "dataset-busi.html"}
    for page in site.rglob("*.html"):
        links = re.findall(r'(?:href|src)="([^"#]+)"', page.read_text("utf-8"))
        assert links or page.name == INDEX
        for link in links:
            assert (page.parent / unquote(link)).is_file(), (page, link)
    assert not {path.suffix for path in site.rglob("*")} & {".pt", ".npz", ".log", ".svg"}


def test_cards_name_methods_as_papers_do(site):
    assert "<strong>Which:</strong> Grad-CAM.</li>" in (site / INDEX).read_text("utf-8")


def test_a_row_has_its_newest_value_and_its_history(site):
    text = (site / "dataset-busi.html").read_text("utf-8")
    rows = re.findall(r'<tr data-kind="(\w+)" data-method="([^"]+)"', text)
    assert [kind for kind, _ in rows] == ["method", "method", "control"]
    assert rows[0] == ("method", "gradcam")
    (first, _) = re.findall(r"<tr data-kind.*?</tr>", text, re.DOTALL)[:2]
    assert "0.650" in first
    assert "1 earlier" in first
    assert "2025-03-04: 0.450" in first


def test_a_strangers_words_and_documents_do_nothing(site):
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "example.org" not in text
        assert 'href="javascript' not in text
    board = (site / "old & <b>" / INDEX).read_text("utf-8")
    assert "never shown" not in board
    assert "more images." in board
    assert board.count('class="answer"') == 1


def refused(folder, out, match):
    with pytest.raises(XaibenchError, match=match):
        build_site([folder], out)


def test_what_a_stranger_hands_over_is_plain_files_without_formulas(tmp_path):
    for number, (name, content, match) in enumerate([
        ("agreement.csv", b"a,b\n1,=cmd|'/c calc'!A0\n", "begins like a formula"),
        ("agreement.csv", b'a\n"@SUM(1)"\n', "begins like a formula"),
        ("agreement.csv", b"a,b\n-1+cmd|x,-2.5e-3", "begins like a formula"),
        ("grid.jpg", b"<svg onload=alert(1)>", "not a JPG file"),
        ("leaderboard.md", b"\xff\xfe", "isn't UTF-8"),
    ]):  # fmt: skip
        folder = published(tmp_path / f"{number}")
        (folder / name).write_bytes(content)
        refused(folder, tmp_path / "site", f"^{re.escape(str(folder / name))}: .*{match}")
    folder = published(tmp_path / "fine")
    (folder / "agreement.csv").write_bytes(b"a,b\n-1,'=x\n-2.5e-3,inf\n")
    build_site([folder], tmp_path / "site2")
    for name in ("leaderboard.csv", "figures/board-iou.png"):
        folder = published(tmp_path / name.replace("/", "-"))
        (folder / name).unlink()
        (folder / name).symlink_to("/etc/passwd")
        refused(folder, tmp_path / "site3", "no plain file|a link")


def test_what_was_changed_since_it_was_published_is_refused_by_name(tmp_path):
    folder = published(tmp_path / "a")
    seal(folder, [])
    build_site([folder], tmp_path / "site")
    record = read_record(folder / "run.json", RunRecord)
    write_record(folder / "run.json", replace(record, date="2020-01-01"))
    refused(folder, tmp_path / "site", "changed or gone since it was published: run.json;")


def test_nothing_but_an_earlier_site_is_replaced(tmp_path):
    folder = published(tmp_path / "in" / "board")
    out = tmp_path / "out"
    build_site([folder], out)
    before = (out / INDEX).read_bytes()
    build_site([folder], out)
    assert (out / INDEX).read_bytes() == before
    (out / "thesis").mkdir()
    (out / "thesis" / "a.tex").write_text("mine")
    other = published(tmp_path / "in" / "thesis")
    refused(other, out, "something else lies there")
    assert (out / "thesis" / "a.tex").read_text() == "mine"
