import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from xaibench.core import fingerprints
from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import checksum, code_of, fingerprint
from xaibench.core.store import (
    files_below,
    folder_name,
    read_json,
    remove_leftovers,
    replacing,
    temporary_path,
    write_json,
    write_with,
)
from xaibench.results.maps import MapReader, MapWriter, map_key
from xaibench.running.cleanup import remove_temporary
from xaibench.setup.made_from import EXPLAIN_CODE


def crash_halfway(path):
    path.write_text("half of the n")
    raise KeyboardInterrupt


def test_a_crash_while_writing_leaves_the_old_file_and_no_other(tmp_path):
    file = tmp_path / "cell.json"
    file.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(file) as temporary:
        crash_halfway(temporary)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_who_reads_the_old_file_is_not_disturbed(tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text("old")
    with file.open() as reader:
        write_with(file, lambda stream: stream.write(b"new"))
        assert reader.read() == "old"
    assert file.read_text() == "new"


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    file = tmp_path / "deep" / "folder" / "scores.csv"
    with replacing(file) as temporary:
        temporary.write_text("new")
        assert not file.exists()
        assert temporary.parent == file.parent
    assert file.read_text() == "new"
    assert list(file.parent.iterdir()) == [file]


@pytest.fixture(scope="module")
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def left_by(process, name, host=None):
    mine = temporary_path(Path(name)).name
    theirs = mine.replace(f".{os.getpid()}.", f".{process}.")
    return re.sub(r"\.[0-9a-f]{16}\.", f".{host}.", theirs) if host else theirs


ELSEWHERE = "0123456789abcdef"


def test_only_leftovers_of_dead_processes_are_removed(tmp_path, dead):
    mine, theirs = temporary_path(Path("cell.json")).name, left_by(dead, "cell.json")
    new, old = left_by(dead, "cell.json", ELSEWHERE), left_by(dead, "scores.csv", ELSEWHERE)
    kept = [mine, new, ".editor.tmp", "notes.1.tmp", ".cell.json"]
    for name in (theirs, old, *kept):
        (tmp_path / name).touch()
    os.utime(tmp_path / old, (0, 0))
    remove_leftovers(files_below(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


FOREIGN = [
    ".a.tmp",
    ".a.b.tmp",
    ".session.host.4711.tmp",
    f".a.{ELSEWHERE}.tmp",
    f".a.{ELSEWHERE}.x1.tmp",
    f".a.{ELSEWHERE}.٣.tmp",
    f".a.{ELSEWHERE}.0.tmp",
    f".a.{ELSEWHERE.upper()}.1.tmp",
    f".{ELSEWHERE}.1.tmp",
    f".a.{ELSEWHERE}0.1.tmp",
    f".a.{ELSEWHERE}.1.tmp~",
    f"a.{ELSEWHERE}.1.tmp",
]


@pytest.mark.parametrize("name", FOREIGN)
def test_temporary_files_of_others_stay_however_old(tmp_path, name):
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (0, 0))
    remove_leftovers(files_below(tmp_path))
    assert (tmp_path / name).exists()


def test_a_run_looks_for_leftovers_in_its_own_folders_alone(tmp_path, dead):
    out, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    gone = left_by(dead, "maps.npz")
    ours = [out / gone, out / "cells" / "d" / gone, out / "splits" / gone]
    foreign = [out / "work" / gone, out / "work" / "cells" / gone, elsewhere / gone]
    for path in [*ours, *foreign]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (out / "models").symlink_to(elsewhere)
    (out / "cells" / "linked").symlink_to(elsewhere)
    (out / "cells" / gone).symlink_to(elsewhere / gone)
    remove_temporary(out)
    assert not any(path.exists() for path in ours)
    assert all(path.exists() for path in foreign)
    assert (out / "cells" / gone).is_symlink()


def test_a_folder_that_goes_meanwhile_is_passed_over(tmp_path):
    for name in ("a/1.txt", "a/2.csv", "b/3.txt", "c/4.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = []
    for path in files_below(tmp_path, "*.txt"):
        found.append(path.relative_to(tmp_path).as_posix())
        shutil.rmtree(tmp_path / "b", ignore_errors=True)
    assert found == ["a/1.txt", "c/4.txt"]


def test_writing_below_a_file_names_the_place(tmp_path):
    (tmp_path / "out").write_text("a file, not a folder")
    with pytest.raises(XaibenchError, match=r"out/cells/cell\.json can't be written"):
        write_json(tmp_path / "out" / "cells" / "cell.json", {})


def test_writing_over_a_folder_leaves_no_temporary_file(tmp_path):
    (tmp_path / "cell.json").mkdir()
    with pytest.raises(XaibenchError, match="can't be written"):
        write_json(tmp_path / "cell.json", {})
    assert [path.name for path in tmp_path.iterdir()] == ["cell.json"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(XaibenchError, match="can't be written"):
        write_json(tmp_path / "cell.json", {})


def test_json_comes_back_as_it_was(tmp_path):
    content = {"ä b": [1, 2.5, None, True], "nested": {"path": "/a b"}}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json") == content
    assert "ä b" in (tmp_path / "x.json").read_text("utf-8")


@pytest.mark.parametrize("damage", [b"", b'{"a": 1', b"\xff\xfe\x00", b"[1, 2]", b"null"])
def test_a_damaged_file_reads_as_empty(tmp_path, damage):
    (tmp_path / "x.json").write_bytes(damage)
    assert read_json(tmp_path / "x.json") == {}


def test_a_missing_file_reads_as_empty(tmp_path):
    assert read_json(tmp_path / "absent.json") == {}
    assert read_json(tmp_path) == {}


def test_checksums_tell_files_apart(tmp_path):
    write_with(tmp_path / "a", lambda file: file.write(b"abc"))
    assert checksum(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")
    assert checksum(tmp_path / "absent") == ""


def test_fingerprints_depend_on_values_and_not_on_the_order_of_keys():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint(json.loads('{"b": 2, "a": 1}'))
    assert len({fingerprint(part) for part in ({"a": 1}, {"a": 2}, {"a": "1"}, [1], 1, "1")}) == 6
    assert fingerprint("a", "b") != fingerprint("ab")


CODE = '''
"""What it does."""
import math

def area(radius):
    """Return the area."""
    return math.pi * radius**2

class Disc:
    """A disc."""
    name = "disc"
'''


def code_in(folder, name, code):
    (folder / name).write_text(code)
    return code_of(folder / name)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("What it does.", "What it really does.", True),
        ("Return the area.", "Return pi r^2.", True),
        ("A disc.", "Round.", True),
        ("import math\n", "import math  # for pi\n\n\n", True),
        ("math.pi * radius**2", "(math.pi\n        * radius ** 2)", True),
        ("radius**2", "radius**3", False),
        ('name = "disc"', 'name = "disk"', False),
        ("area(radius)", "area(radius=1)", False),
    ],
)
def test_code_counts_but_docstrings_comments_and_layout_do_not(tmp_path, old, new, same):
    assert old in CODE
    before, after = (
        code_in(tmp_path, "a.py", CODE),
        code_in(tmp_path, "b.py", CODE.replace(old, new)),
    )
    assert (before == after) == same


def test_code_below_the_package_is_found_by_name():
    assert code_of("core/maps") != code_of("core/passes/tape")
    assert code_of("core/maps", "core/passes/tape") != code_of("core/passes/tape", "core/maps")


SPECS = [
    "gradcam",
    "gradcam[layer=a]",
    "gradcam[layer=b]",
    "folder[path=/a/b]",
    "folder[path=/a_b]",
    "folder[path=a_b]",
    "folder[path=a:b]",
    "folder[path=a-b]",
    "folder[path=a[b]]",
    "folder[path=a b]",
    "folder[path=ä]",
    "folder[path=ö]",
    f"folder[path={'x' * 200}1]",
    f"folder[path={'x' * 200}2]",
    "kfold:5",
    "kfold:50",
]


def test_every_spec_has_a_folder_of_its_own():
    names = [folder_name(spec) for spec in SPECS]
    assert len(set(names)) == len(SPECS)


@pytest.mark.parametrize("spec", SPECS)
def test_folder_names_are_short_and_plain(spec):
    name = folder_name(spec)
    assert name == folder_name(spec)
    assert name.isascii()
    assert not set(name) & set('/\\:*?"<>|[] ')
    assert len(name) <= 100


NAMES = ["benign (1)", "malignant/mass [2]/scan", "ä ö/日本", "a.b", "a,b=c", "UPPER", "upper"]


def random_maps():
    random = np.random.default_rng(0)
    return {name: random.normal(size=(3 + n, 5)).astype(np.float32) for n, name in enumerate(NAMES)}


def write_maps(file, maps):
    writer = MapWriter(file)
    for name, values in maps.items():
        writer.add(map_key("label", name), values)
    writer.close()


def test_maps_come_back_bit_by_bit_under_any_name(tmp_path):
    maps = random_maps()
    maps["odd"] = np.array([[np.nan, np.inf, -0.0, 1e-45]], np.float32)
    write_maps(tmp_path / "maps.npz", maps)
    with MapReader(tmp_path / "maps.npz") as reader:
        for name, values in maps.items():
            stored = reader[map_key("label", name)]
            assert stored.dtype == np.float32
            np.testing.assert_array_equal(stored.view(np.uint32), values.view(np.uint32))
        assert map_key("label", "UPPER") in reader
        assert map_key("predicted", "UPPER") not in reader


def test_maps_of_numpy_itself_can_be_read(tmp_path):
    write_maps(tmp_path / "maps.npz", random_maps())
    with np.load(tmp_path / "maps.npz", allow_pickle=False) as stored:
        assert stored.files == [map_key("label", name) for name in NAMES]


def test_the_same_maps_give_the_same_bytes(tmp_path):
    write_maps(tmp_path / "one.npz", random_maps())
    write_maps(tmp_path / "two.npz", random_maps())
    with zipfile.ZipFile(tmp_path / "one.npz") as stored:
        assert {entry.date_time for entry in stored.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_truncated_archive_is_no_archive(tmp_path):
    file = tmp_path / "maps.npz"
    write_maps(file, random_maps())
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(zipfile.BadZipFile):
        MapReader(file)


def test_doubles_are_stored_as_float32(tmp_path):
    write_maps(tmp_path / "maps.npz", {"a": np.array([[0.1, 0.2]])})
    with MapReader(tmp_path / "maps.npz") as reader:
        np.testing.assert_array_equal(reader["label/a"], np.float32([[0.1, 0.2]]))


def test_code_counts_what_it_imports_from_core_at_any_depth(tmp_path):
    plugin = tmp_path / "plugin.py"
    plugin.write_text("from xaibench.core.covering import cover\n", "utf-8")
    alone = tmp_path / "alone.py"
    alone.write_text("from elsewhere import cover\n", "utf-8")
    found = {}
    fingerprints._follow(plugin, found)
    assert [path.stem for path in found] == [
        "plugin",
        "covering",
        "baselines",
        "confidence",
        "overlap",
    ]
    fingerprints._follow(alone, found := {})
    assert [path.stem for path in found] == ["alone"]
    found = {}
    for place in EXPLAIN_CODE:
        fingerprints._follow(fingerprints.PACKAGE / f"{place}.py", found)
    assert {"tape", "layers", "model", "seeds", "maps"} <= {path.stem for path in found}
    assert not {"registry", "errors"} & {path.stem for path in found}
