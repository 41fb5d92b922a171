from pathlib import Path

from xaibench.core.reading.copies import find_copies


def test_only_files_of_the_same_bytes_come_together(tmp_path):
    start = bytes(range(256)) * 40
    contents = {
        "a": start + b"1", "b": start + b"2", "c": b"short", "d": start + b"1", "e": b"shore",
        "f": b"short", "g": start + b"1", "h": b"",
    }  # fmt: skip
    paths = []
    for name, content in contents.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
    found = find_copies([*paths, paths[0], Path("nowhere")])
    assert [[path.name for path in group] for group in found] == [["a", "d", "g"], ["c", "f"]]


def test_without_files_there_are_no_copies():
    assert find_copies([Path("drawn/1"), Path("drawn/2")]) == []
