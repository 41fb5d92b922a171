"""Texts in CSV files are no formulas, come back as they were, and numbers are left alone."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from xaibench.core.csv_cells import from_cell, restore, to_cell, to_cells, to_csv

FORMULAS = [
    *(
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-2+3+cmd|'!A0",
        "@SUM(1)",
        "\t=1",
        "\n=1",
        "\uff1d1",
        "\uff0da",
        "-a",
    ),
    *("'=1", "''@x", "-", "=", "+1 2", "-1e", "--1"),
]
PLAIN = ["a=b", "it's", "'tis", "", " =1", "-1", "+2.5e-3", "-.5", "-inf", "1-2", "ä", "'", "nan"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text_and_comes_back(text):
    assert to_cell(text) == f"'{text}"
    assert from_cell(to_cell(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_and_numbers_stay(text):
    assert to_cell(text) == text == from_cell(text)


def test_no_two_texts_become_the_same():
    texts = [*FORMULAS, *PLAIN, *map(to_cell, FORMULAS)]
    assert len({to_cell(text) for text in texts}) == len(set(texts))
    assert [from_cell(to_cell(text)) for text in texts] == texts


@pytest.mark.parametrize("kind", [object, "string", "category"])
def test_tables_come_back_and_their_numbers_are_the_same_text(kind):
    table = pd.DataFrame(
        {
            "sample": pd.Series(FORMULAS, dtype=kind),
            "=head": -np.arange(len(FORMULAS)) / 3,
            "count": pd.array([-1, None] * (len(FORMULAS) // 2), dtype="Int64"),
        }
    )
    written = io.StringIO()
    to_csv(table, written)
    cells = list(csv.reader(io.StringIO(written.getvalue())))
    assert cells[0] == ["sample", "'=head", "count"]
    assert [row[1] for row in cells[1:]] == [str(value) for value in table["=head"]]
    assert all(row[0].startswith("'") for row in cells[1:])
    found = restore(pd.read_csv(io.StringIO(written.getvalue()), dtype={"sample": str}))
    assert found["sample"].tolist() == FORMULAS
    assert list(found.columns) == list(table.columns)
    np.testing.assert_allclose(found["=head"], table["=head"])


def test_a_row_keeps_what_is_no_text():
    assert to_cells(["=a", -0.5, None, "b"]) == ["'=a", -0.5, None, "b"]


def test_an_empty_table_and_repeated_columns_are_written():
    written = io.StringIO()
    to_csv(pd.DataFrame([["=a", "b"]], columns=["x", "x"]), written)
    to_csv(pd.DataFrame(columns=["y"]), written)
    assert written.getvalue() == "x,x\n'=a,b\ny\n"


def test_a_column_without_any_text_keeps_its_type():
    table = pd.read_csv(io.StringIO("a,b\n,1\n,2\n"), dtype={"a": str})
    assert restore(table).dtypes.tolist() == table.dtypes.tolist()
    assert restore(table).fillna({"a": ""})["a"].tolist() == ["", ""]
