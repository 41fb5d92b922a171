"""Archives that mean harm, and those that are merely broken."""

import errno
import os
import stat
import sys
import tarfile
import zipfile

import pytest
from archives import CONTENT, FOLDER, check, make_tar, make_zip

from xaibench.core.errors import XaibenchError
from xaibench.core.reading import unpack as module
from xaibench.core.reading.unpack import unpack


def zip_link(target):
    member = zipfile.ZipInfo(f"{FOLDER}/evil")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return make_zip({f"{FOLDER}/ok.txt": b"ok", member: target})


def tar_entry(kind, target="", **headers):
    member = tarfile.TarInfo(f"{FOLDER}/evil")
    member.type, member.linkname, member.pax_headers = kind, target, headers
    return make_tar({f"{FOLDER}/ok.txt": b"ok", member: b""})


OUTSIDE = (f"{FOLDER}/../../evil.txt", "/evil.txt", f"{FOLDER}\\..\\..\\evil.txt", "C:\\evil.txt")


@pytest.mark.parametrize(
    "content",
    [
        *(make({f"{FOLDER}/ok.txt": b"", name: b"evil"}) for name in OUTSIDE
          for make in (make_zip, make_tar)),
        *(zip_link(target) for target in ("/etc", "../..")),
        *(tar_entry(tarfile.SYMTYPE, target) for target in ("/etc", "../..", "ok.txt")),
        tar_entry(tarfile.LNKTYPE, "/etc/passwd"),
        tar_entry(tarfile.LNKTYPE, f"{FOLDER}/ok.txt"),
        tar_entry(tarfile.FIFOTYPE),
        tar_entry(tarfile.CHRTYPE),
        tar_entry(tarfile.REGTYPE, **{"GNU.sparse.size": "9", "GNU.sparse.map": "0,0",
                                      "GNU.sparse.name": f"{FOLDER}/evil"}),
    ],
)  # fmt: skip
def test_members_that_lead_outside_are_refused_before_anything_is_written(tmp_path, content):
    root = tmp_path / "inner" / "root"
    root.mkdir(parents=True)
    (root / "bad.zip").write_bytes(content)
    with pytest.raises(XaibenchError, match=r"bad\.zip: refused.*evil"):
        unpack(root / "bad.zip", root, FOLDER)
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "root", "bad.zip"]


def test_bombs_are_refused(tmp_path, monkeypatch):
    (tmp_path / "bomb.tgz").write_bytes(make_tar({f"{FOLDER}/zeros": bytes(10_000_000)}))
    with pytest.raises(XaibenchError, match=r"bomb\.tgz: refused, unpacked .* 10,000,000 bytes"):
        unpack(tmp_path / "bomb.tgz", tmp_path, FOLDER)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{FOLDER}/zeros", bytes(10_000_000))
    with pytest.raises(XaibenchError, match=r"bomb\.zip: refused, unpacked .* 10,000,000 bytes"):
        unpack(tmp_path / "bomb.zip", tmp_path, FOLDER)
    monkeypatch.setattr(module, "MAX_BYTES", 600_000)
    (tmp_path / "large.zip").write_bytes(make_zip(CONTENT))
    with pytest.raises(XaibenchError, match=r"large\.zip: refused"):
        unpack(tmp_path / "large.zip", tmp_path, FOLDER)


def test_many_small_members_are_a_bomb_together(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 25_000)
    (tmp_path / "many.tar").write_bytes(
        make_tar({f"{FOLDER}/{n}": bytes(1000) for n in range(40)}, "w")
    )
    with pytest.raises(XaibenchError, match=r"refused, unpacked it would take 26,000 bytes or"):
        unpack(tmp_path / "many.tar", tmp_path, FOLDER)


@pytest.mark.parametrize(
    ("content", "harm"),
    [
        (make_zip(CONTENT), "changed"),
        (make_zip(CONTENT), "cut"),
        (make_tar(CONTENT), "changed"),
        (make_tar(CONTENT), "cut"),
        (make_tar(CONTENT, "w"), "cut"),
        (make_tar(CONTENT, "w:bz2"), "of another kind"),
    ],
)
def test_damage_is_found_and_nothing_half_made_stays(tmp_path, content, harm):
    content = bytearray(content)
    content[350_000] ^= 0xFF
    (tmp_path / "bad").write_bytes(content[:350_000] if harm == "cut" else content)
    with pytest.raises(XaibenchError, match=r"bad: not an intact zip or tar archive \([^\n]+\); "):
        unpack(tmp_path / "bad", tmp_path, FOLDER)
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


def tar_header(**headers):
    member = tarfile.TarInfo(f"{FOLDER}/a.png")
    member.pax_headers = headers
    return make_tar({member: b"a"})


@pytest.mark.parametrize(
    "content",
    [
        *(make({f"{FOLDER}/a": b"a", f"{FOLDER}/a/b": b"b"}) for make in (make_zip, make_tar)),
        make_zip({f"{FOLDER}/a/b": b"b", f"{FOLDER}/a": b"a"}),
        make_zip({f"{FOLDER}/{'a' * 300}": b"a"}),
        make_zip({f"{FOLDER}/é": b"a"}).replace("é".encode(), b"\xff\xfe"),
        tar_header(mtime="1e30"),
        tar_header(mtime="nan"),
        tar_header(path=f"{FOLDER}/a\0b"),
    ],
)
def test_headers_that_no_folder_takes_are_the_archives_fault(tmp_path, content):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(XaibenchError, match=r"bad: not an intact zip or tar archive \([^\n]+\); "):
        unpack(tmp_path / "bad", tmp_path, FOLDER)
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damage_in_any_packing_is_found(tmp_path, kind):
    with zipfile.ZipFile(tmp_path / "bad", "w", kind) as archive:
        archive.writestr(f"{FOLDER}/a", bytes(range(256)) * 20)
    content = bytearray((tmp_path / "bad").read_bytes())
    start = content.index(b"/a") + 22
    content[start : start + 30] = bytes(byte ^ 0x5A for byte in content[start : start + 30])
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(XaibenchError, match=r"bad: not an intact zip or tar archive \([^\n]+\); "):
        unpack(tmp_path / "bad", tmp_path, FOLDER)


def test_a_full_disk_is_not_the_archives_fault(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "good.zip").write_bytes(make_zip(CONTENT))
    monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    with pytest.raises(OSError, match="No space left"):
        unpack(tmp_path / "good.zip", tmp_path, FOLDER)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar_archives_packed_or_not(tmp_path, mode):
    members = {f"./{name}": content for name, content in CONTENT.items()}
    (tmp_path / "data.tar").write_bytes(make_tar({**members, "attributes.txt": b""}, mode))
    assert unpack(tmp_path / "data.tar", tmp_path, FOLDER) == tmp_path / FOLDER
    (tmp_path / "data.tar").unlink()
    check(tmp_path)


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_flat_archives_get_the_folder_that_they_lack(tmp_path, make):
    flat = {name.removeprefix(f"{FOLDER}/"): content for name, content in CONTENT.items()}
    (tmp_path / "data").write_bytes(make(flat))
    unpack(tmp_path / "data", tmp_path, FOLDER, flat=True)
    (tmp_path / "data").unlink()
    check(tmp_path)


def test_leftovers_of_a_kill_are_cleared_and_other_folders_left_out(tmp_path):
    (tmp_path / f".{FOLDER}.unpacking" / FOLDER).mkdir(parents=True)
    (tmp_path / f".{FOLDER}.unpacking" / FOLDER / "stale").write_text("")
    (tmp_path / "data.zip").write_bytes(make_zip({**CONTENT, "__MACOSX/x": b""}))
    unpack(tmp_path / "data.zip", tmp_path, FOLDER)
    (tmp_path / "data.zip").unlink()
    check(tmp_path)


def test_what_is_in_the_way_is_kept(tmp_path):
    for number in range(2):
        (tmp_path / FOLDER).mkdir(exist_ok=True)
        (tmp_path / FOLDER / "mine.txt").write_text(str(number))
        (tmp_path / "data.zip").write_bytes(make_zip(CONTENT))
        unpack(tmp_path / "data.zip", tmp_path, FOLDER)
    assert (tmp_path / f"{FOLDER}.old" / "mine.txt").read_text() == "0"
    assert (tmp_path / f"{FOLDER}.old2" / "mine.txt").read_text() == "1"
    assert not (tmp_path / FOLDER / "mine.txt").exists()


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_archive_without_the_folder(tmp_path, make):
    (tmp_path / "data.zip").write_bytes(make({"Other/x": b"", f"{FOLDER}x/y": b"", FOLDER: b""}))
    with pytest.raises(XaibenchError, match=f"holds no folder {FOLDER}"):
        unpack(tmp_path / "data.zip", tmp_path, FOLDER)


@pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="such a Python warns where no filter is given"
)
def test_pythons_before_filters_unpack_files_without_special_rights(tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    odd = tarfile.TarInfo(f"{FOLDER}/b.txt")
    odd.mode, odd.uid, odd.uname = 0o6000, 12345, "daemon"
    content = make_tar({f"{FOLDER}/a.bin": b"a", odd: b"b"}, "w")
    (tmp_path / "data.tar").write_bytes(content)
    unpack(tmp_path / "data.tar", tmp_path, FOLDER)
    about = (tmp_path / FOLDER / "b.txt").stat()
    assert (about.st_mode & 0o7777, about.st_uid) == (0o644, os.getuid())
