"""Labels in YOLO's format: polygons against hand-made and scikit-image's, malformed lines."""

import numpy as np
import pytest
from skimage.draw import polygon2mask

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.yolo import Polygon, fill_polygons, read_names, read_polygons


def read(tmp_path, text, kinds=80):
    file = tmp_path / "7.txt"
    file.write_text(text)
    return read_polygons(file, kinds)


def test_lines_classes_and_areas(tmp_path):
    found = read(tmp_path, "3 .5 0 1 0 1 1 .5 1\n\n16 0 0 .5 0 0 .25\n")
    assert [polygon.kind for polygon in found] == [3, 16]
    assert [polygon.area for polygon in found] == [0.5, 0.0625]
    assert found[1].corners.tolist() == [[0, 0], [0.5, 0], [0, 0.25]]
    assert read(tmp_path, "") == []


def test_pixels_whose_center_lies_inside(tmp_path):
    # 6 columns and 4 rows: x up to 0.4 of 6 takes the centers .5 and 1.5, y from 0.5 rows 2 and 3.
    (left,) = read(tmp_path, "0 0 .5 .4 .5 .4 1 0 1")
    wanted = np.zeros((4, 6), bool)
    wanted[2:, :2] = True
    assert np.array_equal(fill_polygons([left], (4, 6)), wanted)


def test_filling_agrees_with_scikit_image():
    rng = np.random.default_rng(5)
    shape = (23, 41)
    for corners in (3, 4, 9, 30):
        # The last crosses itself again and again; some reach out of the image.
        points = rng.uniform(-0.01, 1.01, (corners, 2))
        polygon = Polygon(0, points)
        theirs = polygon2mask(shape, (points * shape[::-1] - 0.5)[:, ::-1])
        assert np.array_equal(fill_polygons([polygon], shape), theirs)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dog .1 .1 .2 .2 .3 .1", "line 2: invalid literal.*'dog'"),
        ("0 .1 .1 .2 x .3 .1", "line 2: could not convert.*x"),
        ("80 .1 .1 .2 .2 .3 .1", "line 2: there is no class 80; they are 0 to 79"),
        ("-1 .1 .1 .2 .2 .3 .1", "line 2: there is no class -1"),
        ("0 .5 .5 .2 .2 .9", "line 2: 5 numbers"),
        ("0 .1 .1 .2 .2 .3 .1 .7", "line 2: 7 numbers"),
        ("0", "line 2: 0 numbers"),
        ("0 .1 .1 .2 .2 .3 1.1", "line 2: x and y must be shares"),
        ("0 .1 .1 .2 nan .3 .1", "line 2: x and y must be shares"),
    ],
)
def test_malformed_lines_are_named(tmp_path, line, said):
    with pytest.raises(XaibenchError, match=rf"7\.txt, {said}"):
        read(tmp_path, f"0 .1 .1 .2 .2 .3 .1\n{line}\n")


@pytest.mark.parametrize(
    "text",
    [
        "path: x\nnames: ['a b', c]  # two\nnc: 2\n",
        "names: [a b,\n  c]\n",
        "train: y\nnames:\n  0: a b\n  1: 'c'  # last\ntest:\n",
        "names:\n- a b\n- c\n",
        'names: # all\n\n  - "a b"\n  - c',
    ],
)
def test_names_in_all_usual_forms(tmp_path, text):
    (tmp_path / "data.yaml").write_text(text)
    assert read_names(tmp_path / "data.yaml") == ("a b", "c")


@pytest.mark.parametrize("text", ["nc: 2\n", "names:\n", "names:\n  1: a\n  2: b\n", "names: []\n"])
def test_names_that_are_none(tmp_path, text):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(XaibenchError, match=r"data\.yaml: it has no class names"):
        read_names(tmp_path / "data.yaml")


def test_names_are_taken_as_written_and_counted(tmp_path):
    file = tmp_path / "data.yaml"
    file.write_text("'names': ['a, left', \"dog's\", no]\r\nnc: 3\r\n")
    assert read_names(file) == ("a, left", "dog's", "no")
    file.write_text("nc: 3\nnames: [a, b]\n")
    with pytest.raises(XaibenchError, match="nc is 3, but names has 2"):
        read_names(file)
    file.write_text("names: [a, b\n")
    with pytest.raises(XaibenchError, match="not well-formed YAML"):
        read_names(file)


def test_a_box_is_a_polygon_of_its_corners(tmp_path):
    (box,) = read(tmp_path, "3 .5 .25 .4 .3\n")
    wanted = np.zeros((20, 30), bool)
    wanted[2:8, 9:21] = True
    assert np.array_equal(fill_polygons([box], (20, 30)), wanted)
