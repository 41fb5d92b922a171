"""Text from outside that is shown, and files that are opened, do nothing of their own."""

import os

import pytest

from xaibench.core.data import Dataset, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.files import open_plain, read_plain
from xaibench.core.reading.headers import read_header
from xaibench.core.reading.images import read_image, read_mask
from xaibench.core.visible import is_visible, visible

HIDDEN = ["\x00", "\x07", "\x1b[2J", "\x7f", "\x9b2J", "\r", "\u202e", "\u2066", "\u2028", "\udc80"]
ORDINARY = ["ä ö", "日本", "a\u200db", "\u200f\u05e9\u05dc", "é", "🙂", "`|<*"]


@pytest.mark.parametrize("text", HIDDEN)
def test_hidden_letters_are_written_as_escapes(text):
    shown = visible(f"a{text}b")
    assert shown == f"a{text.encode('unicode_escape').decode()}b"
    assert shown.isprintable()
    assert is_visible(shown)
    assert not is_visible(f"a{text}b")


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_letters_stay(text):
    assert visible(text) == text
    assert is_visible(text)


def test_lines_stay_unless_one_line_is_asked_for():
    assert visible("a\n\tb\r") == "a\n\tb\\r"
    assert visible("a\n\tb", lines=False) == "a\\n\\tb"


@pytest.mark.parametrize("kind", ["sample", "class", "group"])
@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\udcff"])
def test_a_dataset_has_no_name_that_tables_can_not_hold(tmp_path, kind, text):
    names = {"sample": "s", "class": "c", "group": "g", kind: text}
    sample = Sample(names["sample"], tmp_path, 0, group=names["group"])
    with pytest.raises(XaibenchError, match=f"the {kind} '") as caught:
        Dataset((names["class"],), (sample,))
    assert is_visible(str(caught.value))


@pytest.mark.parametrize("name", ["x.png", "x.npy"])
@pytest.mark.parametrize("kind", ["a pipe", "a device", "a link to a device"])
def test_only_files_are_opened(tmp_path, kind, name):
    path = tmp_path / name
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "a device" else "hop")
        (tmp_path / "hop").symlink_to("/dev/zero")
    for read in (read_image, read_mask, read_header):
        with pytest.raises(XaibenchError, match=r"x\..*: .*a pipe, a socket or a device"):
            read(path)
    for read in (open_plain, read_plain):
        with pytest.raises(OSError, match="a pipe, a socket or a device"):
            read(path)
