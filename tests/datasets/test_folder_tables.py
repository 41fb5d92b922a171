"""Tables of images as spreadsheets, R, pandas and labeling tools write them."""

import numpy as np
import pytest
from PIL import Image

from xaibench.core.data import Box
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind
from xaibench.datasets.folder import folder

NAMES = ("a1", "a2", "b1", "b2")


@pytest.fixture
def read(tmp_path):
    """Draw four images and a mask for each, and read a table of them."""
    for name in NAMES:
        for place in (tmp_path / "scans", tmp_path / "masks"):
            place.mkdir(exist_ok=True)
            Image.fromarray(np.eye(5, 7, dtype=np.uint8) * 255).save(place / f"{name}.png")

    def reading(text, encoding="utf-8", **options):
        table = tmp_path / "t.csv"
        table.write_bytes(text.encode(encoding))
        return folder(tmp_path, path=str(table), **options)

    return reading


def rows(*columns, header="image,label", separator=","):
    """Return a table of the four images, labeled by their first letter, with further columns."""
    lines = [header + "".join(f",{name}" for name, _ in columns)]
    for place, name in enumerate(NAMES):
        cells = [f"scans/{name}.png", name[0], *(values[place] for _, values in columns)]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines).replace(",", separator) + "\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_separators_and_encodings(read, separator, encoding):
    text = rows(("age", "1ü34"), header="Image,LABEL", separator=separator)
    dataset = read(text, encoding)
    assert dataset.classes == ("a", "b")
    assert [sample.id for sample in dataset.samples] == [f"scans/{name}" for name in NAMES]
    assert dataset.notes == ("these columns of the table are not used: age.",)


@pytest.mark.parametrize("name", ["part", "split", "Subset"])
def test_parts(read, name):
    dataset = read(rows((name, ["Training", "test", "val", ""])))
    assert [sample.part for sample in dataset.samples] == ["train", "test", "validation", ""]
    assert dataset.notes == (
        "the table names parts (train 1, validation 1, test 1), which --split official keeps.",
    )
    with pytest.raises(XaibenchError, match="line 3: 'fold 2' is no part; write train, valid"):
        read(rows((name, ["train", "fold 2", "test", "test"])))


@pytest.mark.parametrize("missing", ["", "NA", "nan", "NaN", "None", "N/A"])
def test_what_is_missing_is_neither_a_group_nor_a_mask_nor_a_label(read, missing):
    masks = ["masks/a1.png", missing, missing, "masks/b2.png"]
    dataset = read(rows(("patient_id", [7, missing, missing, 7]), ("mask", masks)))
    assert [sample.group for sample in dataset.samples] == ["7", "", "", "7"]
    assert [len(sample.masks) for sample in dataset.samples] == [1, 0, 0, 1]
    with pytest.raises(XaibenchError, match="line 6: no label"):
        read(rows() + f"scans/b2.png,{missing}\n")


def test_several_masks_in_columns_or_in_one(read):
    first = [f"masks/{name}.png" for name in NAMES]
    both = [f"masks/{name}.png|masks/a1.png" for name in NAMES]
    dataset = read(rows(("mask_1", first), ("mask_2", both)))
    assert [len(sample.masks) for sample in dataset.samples] == [3] * 4


def test_boxes_in_columns_one_row_each(read):
    sides = [("xmin", [0, 1, "", 2]), ("ymin", [0, 1, "", 2]), ("xmax", [3, 4, "", 7]),
             ("ymax", [2, 3, "", 5])]  # fmt: skip
    dataset = read(rows(*sides) + "scans/b2.png,b,4,0,6,1\n")
    assert [sample.boxes for sample in dataset.samples] == [
        (Box(0, 0, 3, 2),), (Box(1, 1, 4, 3),), (), (Box(2, 2, 7, 5), Box(4, 0, 6, 1)),
    ]  # fmt: skip
    with pytest.raises(XaibenchError, match="line 6: 'scans/b2' is in line 5 already"):
        read(rows(*sides) + "scans/b2.png,a,4,0,6,1\n")
    with pytest.raises(XaibenchError, match="line 6: the box is in shares"):
        read(rows(*sides) + "scans/b2.png,b,0.1,0.2,0.9,0.8\n")
    with pytest.raises(XaibenchError, match="line 6: the box 4, 0, 4, 1 is empty"):
        read(rows(*sides) + "scans/b2.png,b,4,0,4,1\n")
    with pytest.raises(XaibenchError, match="no column 'ymax' beside xmin"):
        read(rows(*sides[:3]))


def test_backslashes_and_a_nameless_index(read):
    text = "\n".join(
        [",image,label", *(f"{place},scans\\{n}.png,{n[0]}" for place, n in enumerate(NAMES))]
    )
    dataset = read(text)
    assert [sample.id for sample in dataset.samples] == [f"scans/{name}" for name in NAMES]
    assert dataset.notes == ()


def test_one_image_written_in_two_ways_is_refused(tmp_path, read):
    with pytest.raises(XaibenchError, match="line 6: this is the image of line 2, written in anot"):
        read(rows() + f"{tmp_path}/scans/a1.png,b\n")


def test_boxes_in_shares_or_narrower_than_a_pixel_are_refused(read):
    for box, message in (("0,0,1,1", "in shares"), ("3.1,0,3.4,4", "narrower than a pixel")):
        with pytest.raises(XaibenchError, match=message):
            read(rows(header="image,label") .replace("label", "label,xmin,ymin,xmax,ymax", 1)
                 .replace(",a\n", f",a,{box}\n").replace(",b\n", f",b,{box}\n"))  # fmt: skip


def test_columns_of_patients_may_be_written_with_blanks(read):
    dataset = read(rows(("Patient ID", [1, 1, 2, 2]), ("Mask-Path", ["", "", "", "masks/b2.png"])))
    assert [sample.group for sample in dataset.samples] == ["1", "1", "2", "2"]
    assert len(dataset.samples[3].masks) == 1


def test_columns_of_classes_as_pandas_writes_them(read):
    table = "image,A,B,score\nscans/a1.png,True,False,0.3\nscans/b1.png,True,True,0.5\n"
    dataset = read(table)
    assert [[each.label for each in s.class_labels] for s in dataset.samples] == [[1, 0], [1, 1]]
    assert "these columns of the table are not used: score." in dataset.notes


def test_a_workbook_is_no_table(tmp_path, read):
    read(rows())
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(XaibenchError, match=r"t\.xlsx: a workbook, .*; save it as CSV\."):
        folder(tmp_path, path=str(tmp_path / "t.xlsx"))


def test_labels_that_are_nearly_the_same_are_told(read):
    text = rows() + "./masks/a1.png,A \n"
    assert read(text).notes == ("the classes 'A' and 'a' may be the same; give each one name.",)


def test_labels_of_several_findings_are_told(read):
    notes = read(rows() + "./masks/a1.png,a|b\n").notes
    assert notes[0].startswith("1 labels seem to hold several findings, such as 'a|b'")
    notes = read(rows() + './masks/a1.png,"b, a"\n./masks/a2.png,"x, y"\n').notes
    assert notes[0].startswith("1 labels seem to hold several findings, such as 'b, a'")


def test_groups_from_names(tmp_path, read):
    read(rows())
    spec = f"folder[path={tmp_path / 't.csv'},group=regex:[ab]([0-9])]"
    bound = bind("dataset", spec)
    dataset = bound.plugin.function(tmp_path, **bound.options)
    assert [sample.group for sample in dataset.samples] == ["1", "2", "1", "2"]
    for rule, message in (
        ("regex:/a(.)", r"matches nothing in 2 of 4 names, such as 'scans/b1'"),
        ("regex:(", "not a regular expression"),
        ("a(.)", "write regex:"),
    ):
        with pytest.raises(XaibenchError, match=message):
            read(rows(), group=rule)
