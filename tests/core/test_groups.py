import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.groups import join_groups, read_groups
from xaibench.core.reading.name_rule import name_groups
from xaibench.core.splits import check_split, make_split


def sample(name, group="", label=0):
    return Sample(name, Path("x.png"), label, group=group)


def write(path, rows, header=("sample", "group")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def groups_of(samples):
    return {sample.id: sample.group for sample in samples}


def test_neither_relation_is_broken(tmp_path):
    own = {"a": "p1", "b": "p1", "c": "p2", "d": "p2", "e": "", "f": "", "g": "p3", "h": ""}
    table = write(tmp_path / "g.csv", [("b", "x"), ("c", "x"), ("e", "y"), ("f", "y"), ("h", "z")])
    joined = join_groups([sample(name, group) for name, group in own.items()], table)
    expected = {**dict.fromkeys("abcd", "a"), "e": "e", "f": "e", "g": "", "h": ""}
    assert groups_of(joined) == expected


def test_equal_names_in_dataset_and_table_are_two_groups(tmp_path):
    samples = [sample("a", "1"), sample("b", "1"), sample("c"), sample("d")]
    table = write(tmp_path / "g.csv", [("c", "1"), ("d", "1")])
    assert groups_of(join_groups(samples, table)) == {"a": "a", "b": "a", "c": "c", "d": "c"}


names = st.lists(st.sampled_from(["", *"uvwxyz"]), min_size=40, max_size=40)


@settings(max_examples=40, deadline=None)
@given(own=names, told=names, seed=st.integers(0, 3))
def test_splits_respect_both(tmp_path_factory, own, told, seed):
    samples = [sample(f"s{n}", group, n % 2) for n, group in enumerate(own)]
    rows = [(f"s{n}", group) for n, group in enumerate(told)]
    joined = join_groups(samples, write(tmp_path_factory.mktemp("t") / "g.csv", rows))
    # Whole components, by a plain search.
    component = [{n} for n in range(40)]
    for relation in (own, told):
        for name in set(relation) - {""}:
            members = [n for n in range(40) if relation[n] == name]
            merged = set().union(*(component[n] for n in members))
            for n in merged:
                component[n] = merged
    alone = [f"s{n}" for n in range(40) if len(component[n]) == 1]
    expected = {f"s{n}": f"s{min(component[n])}" for n in range(40)}
    assert groups_of(joined) == {**expected, **dict.fromkeys(alone, "")}
    try:
        divided = make_split(joined, "kfold:2", 0, mask_fraction=0, seed=seed)
    except XaibenchError:  # too few groups are left to divide
        return
    check_split(divided)
    for part in (divided.train, divided.validation, divided.test):
        inside = {int(each.id[1:]) for each in part}
        assert all(component[n] <= inside for n in inside)


def test_a_table_of_a_spreadsheet_is_read(tmp_path):
    file = tmp_path / "g.csv"
    file.write_text('\ufeffgroup, sample,note\n"a, b",x, hm\n"a, b", y,\n,z,\n', "utf-8")
    assert read_groups(file) == {"x": "a, b", "y": "a, b"}


@pytest.mark.parametrize(
    ("header", "rows", "told"),
    [
        (("sample", "grp"), [("a", "1")], "no column 'group', only sample, grp"),
        (("sample",), [("a",)], "no column 'group'"),
        (("sample", "group"), [("a", "1"), ("a", "2")], "'a' is in the groups '1' and '2'"),
        (("sample", "group"), [("scan 1", "1")], r"'scan 1' is no sample.*did you mean 'scan 2'"),
        ((), [], "no column 'sample', only nothing"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(tmp_path, header, rows, told):
    table = write(tmp_path / "g.csv", rows, header)
    with pytest.raises(XaibenchError, match=told) as caught:
        join_groups([sample("a"), sample("scan 2")], table)
    assert str(caught.value).startswith(f"--groups {table}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_called_so(tmp_path):
    with pytest.raises(XaibenchError, match=r"--groups .*g\.csv: no such file"):
        read_groups(tmp_path / "g.csv")


@pytest.mark.parametrize("content", [b"sample,group\n\x81,1\n", b'sample,group\n"a,1\n'])
def test_an_unreadable_table_is_refused(tmp_path, content):
    file = tmp_path / "g.csv"
    file.write_bytes(content)
    with pytest.raises(XaibenchError, match=r"--groups .*not a readable CSV file"):
        read_groups(file)


def test_a_table_may_name_more_than_the_selection_holds(tmp_path, caplog):
    caplog.set_level("INFO", "xaibench")
    rows = [("a", "1"), ("left out", "1"), ("scan 2", "1")]
    joined = join_groups([sample("a"), sample("scan 2")], write(tmp_path / "g.csv", rows))
    assert [each.group for each in joined] == ["a", "a"]
    assert "1 of its 3 samples are not in this selection, such as 'left out'" in caplog.text
    assert "share a group" not in caplog.text


@pytest.mark.parametrize("rows", [[], [("a", "1"), ("b", "2")], [("a", "1"), ("left out", "1")]])
def test_a_table_that_joins_nothing_is_told(tmp_path, caplog, rows):
    joined = join_groups([sample("a"), sample("b")], write(tmp_path / "g.csv", rows))
    assert groups_of(joined) == {"a": "", "b": ""}
    assert "no two images share a group" in caplog.text


def test_an_expression_that_never_ends_is_ended():
    names = ["a" * 40 + "!", "ab"]
    assert name_groups("(a)(b)?", names) == ["a", "a/b"]
    assert name_groups("b$", names) == [None, "b"]
    with pytest.raises(TimeoutError, match=r"0\.5"):
        name_groups("(a+)+$", names, seconds=0.5)
