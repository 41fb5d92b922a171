import lzma

import pytest

from xaibench.results import tables
from xaibench.results.tables import read_table


@pytest.mark.parametrize("compact", [False, True])
def test_a_sample_may_be_called_na_and_a_value_may_be_undefined(tmp_path, compact):
    path = tmp_path / "scores.csv"
    path.write_text("sample,value,status\nNA,nan,ok\nnull,0.5,empty mask\n007,,None\n", "utf-8")
    table = read_table(path, compact=compact)
    assert table["sample"].tolist() == ["NA", "null", "007"]
    assert table["value"].isna().tolist() == [True, False, True]
    assert table["status"].tolist() == ["ok", "empty mask", "None"]


@pytest.mark.parametrize("compact", [False, True])
def test_names_come_back_as_they_were_written(tmp_path, compact):
    names = ["1", "007", "1.0", "NA", "nan", "true", "a,b", 'a "b"', "a\nb", " a ", "é", "e\u0301"]
    quoted = [name.replace('"', '""') for name in names]
    lines = [f'"{name}",{at},"{name}"\n' for at, name in enumerate(quoted)]
    path = tmp_path / "scores.csv"
    path.write_text("model,fold,sample\n" + "".join(lines), "utf-8")
    table = read_table(path, compact=compact)
    assert table["model"].tolist() == table["sample"].tolist() == names
    assert table["fold"].tolist() == list(range(len(names)))


def test_categories_stand_in_order_in_whatever_parts_a_file_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_LINES", 2)
    path = tmp_path / "scores.csv"
    names = ["b", "d", "c", "b", "a"]
    path.write_text("metric\n" + "\n".join(names), "utf-8")
    table = read_table(path, compact=True)
    assert table["metric"].cat.categories.tolist() == ["a", "b", "c", "d"]
    assert table["metric"].tolist() == read_table(path)["metric"].tolist() == names
    assert table.index.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("compact", [False, True])
def test_a_table_of_no_rows_keeps_its_columns(tmp_path, compact):
    path = tmp_path / "scores.csv"
    path.write_text("sample,value\n", "utf-8")
    table = read_table(path, compact=compact)
    assert (list(table), len(table)) == (["sample", "value"], 0)


def test_a_packed_table_that_grows_without_end_is_refused_at_once(tmp_path):
    path = tmp_path / "scores.csv.xz"
    path.write_bytes(lzma.compress(b"sample,value\n" + b"a,0\n" * 2_000_000))
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match="unpacks to far more than a table would"):
        read_table(path)
    rows = [f"{sample},{sample / 7}" for sample in range(500)]
    path.write_bytes(lzma.compress("\n".join(["sample,value", *rows]).encode()))
    assert read_table(path)["value"].sum() == pytest.approx(499 * 500 / 14)


@pytest.mark.parametrize("compact", [False, True])
def test_names_of_digits_alone_keep_their_zeros(tmp_path, compact):
    path = tmp_path / "scores.csv"
    path.write_text("sample,value\n000000000036,0.5\n071,1\n", "utf-8")
    assert read_table(path, compact=compact)["sample"].tolist() == ["000000000036", "071"]
