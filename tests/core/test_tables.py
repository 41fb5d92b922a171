from xaibench.core.tables import read_table


def test_a_sample_may_be_called_na_and_a_value_may_be_undefined(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("sample,value,status\nNA,nan,ok\nnull,0.5,empty mask\n007,,None\n", "utf-8")
    table = read_table(path)
    assert table["sample"].tolist() == ["NA", "null", "007"]
    assert table["value"].isna().tolist() == [True, False, True]
    assert table["status"].tolist() == ["ok", "empty mask", "None"]
