"""Anyone's images: class folders, masks, boxes and manifests, as they come and as they go wrong."""

import re

import numpy as np
import pytest
from PIL import Image

from xaibench.core.data import Box, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind
from xaibench.datasets.folder import folder

HEIGHT, WIDTH = 4, 7


def draw(*paths, boxes=()):
    """Save a black image at each path, the boxes white."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for left, top, right, bottom in boxes:
        pixels[top:bottom, left:right] = 255
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def write_voc(path, *boxes, name="cat", size=(7, 4)):
    sides = ("xmin", "ymin", "xmax", "ymax")
    path.parent.mkdir(parents=True, exist_ok=True)
    objects = "".join(
        f"<object><name>{name}</name><bndbox>"
        + "".join(f"<{side}>{value}</{side}>" for side, value in zip(sides, box, strict=True))
        + "</bndbox></object>"
        for box in boxes
    )
    sides = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    path.write_text(f"<annotation>{sides}{objects}</annotation>")


@pytest.fixture
def pets(tmp_path):
    place = tmp_path / "pets"
    draw(place / "cat/9.png", place / "cat/10.jpg", place / "cat/old/1.TIFF", place / "dog/1.bmp")
    return place


def ids(dataset):
    return [sample.id for sample in dataset.samples]


def only(dataset, id):
    return next(sample for sample in dataset.samples if sample.id == id)


def test_class_folders_nested_and_in_natural_order(tmp_path, pets):
    (pets / "readme.txt").write_text("")
    draw(pets / ".hidden/1.png", pets / "cat/.thumbs/1.png", pets / "cat/._9.png")
    dataset = folder(tmp_path, path="pets")
    assert dataset.classes == ("cat", "dog")
    assert ids(dataset) == ["cat/9", "cat/10", "cat/old/1", "dog/1"]
    assert [sample.label for sample in dataset.samples] == [0, 0, 0, 1]
    assert not dataset.annotated


def test_path_absolute_or_below_the_working_directory_or_root(tmp_path, pets, monkeypatch):
    monkeypatch.chdir(pets.parent)
    for given, root in (
        (str(pets), tmp_path / "no"),
        ("pets", tmp_path / "no"),
        ("pets", tmp_path),
    ):
        assert len(folder(root, path=given).samples) == 4


def test_classes_select_and_order(tmp_path, pets):
    draw(pets / "bird/1.png")
    dataset = bind("dataset", f"folder[path={pets},classes=dog+cat]")
    dataset = dataset.plugin.function(tmp_path, **dataset.options)
    assert dataset.classes == ("dog", "cat")
    assert ids(dataset)[0] == "dog/1"
    assert [sample.label for sample in dataset.samples] == [0, 1, 1, 1]


def test_masks_beside_the_images(tmp_path, pets):
    draw(pets / "cat/9_mask.png", boxes=[(0, 0, 2, 1)])
    draw(pets / "cat/9_mask_1.gif", pets / "cat/9_mask_1.bmp", boxes=[(5, 3, 7, 4)])
    dataset = folder(tmp_path, path="pets")
    assert ids(dataset) == ["cat/9", "cat/10", "cat/old/1", "dog/1"]
    sample = only(dataset, "cat/9")
    assert [layer.path.name for layer in sample.masks] == [
        "9_mask.png",
        "9_mask_1.bmp",
        "9_mask_1.gif",
    ]
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[0, :2] = expected[3, 5:] = 1
    np.testing.assert_array_equal(read_files(sample).mask, expected)
    assert not only(dataset, "cat/10").annotated


def test_mask_without_image_is_named_but_a_name_alone_makes_no_mask(tmp_path, pets):
    draw(pets / "dog/with_mask_1.png")
    assert "dog/with_mask_1" in ids(folder(tmp_path, path="pets"))
    draw(pets / "dog/1_mask.png")
    dataset = folder(tmp_path, path="pets")
    assert "dog/with_mask_1" not in ids(dataset)
    assert re.search(r"^1 masks or boxes belong to no image, .*with_mask_1\.png", dataset.notes[0])
    draw(pets / "dog/8_mask.png")
    with pytest.raises(XaibenchError, match=r"8_mask\.png: this mask has no image .* nor have 1 "):
        folder(tmp_path, path="pets")


@pytest.mark.parametrize("place", ["pets/masks", "truth", "pets/cat/masks"])
@pytest.mark.parametrize("suffix", ["", "_mask"])
def test_masks_in_a_parallel_tree(tmp_path, pets, place, suffix):
    tree = tmp_path / place
    draw(tree / f"cat/9{suffix}.png", tree / f"cat/old/1{suffix}.png", boxes=[(1, 1, 6, 2)])
    draw(tree / "cat/9_mask_1.png")
    dataset = folder(tmp_path, path="pets", masks=place)
    assert dataset.classes == ("cat", "dog")
    assert ids(dataset) == ["cat/9", "cat/10", "cat/old/1", "dog/1"]
    assert len(only(dataset, "cat/9").masks) == 2
    assert read_files(only(dataset, "cat/old/1")).mask.sum() == 5
    assert not only(dataset, "dog/1").annotated


def test_tree_inside_path_needs_no_option_but_a_class_may_bear_its_name(tmp_path, pets):
    draw(pets / "masks/cat/9.png")
    write_voc(pets / "boxes/dog/1.xml", (1, 1, 1, 1), name="dog")
    dataset = folder(tmp_path, path="pets")
    assert dataset.classes == ("cat", "dog")
    assert len(only(dataset, "cat/9").masks) == len(only(dataset, "dog/1").boxes) == 1
    draw(tmp_path / "shop/masks/1.png", tmp_path / "shop/hats/1.png")
    assert folder(tmp_path, path="shop").classes == ("hats", "masks")


def test_flat_folder_of_boxes_and_doubtful_names_in_it(tmp_path, pets):
    write_voc(tmp_path / "flat/10.xml", (1, 1, 2, 2))
    assert len(only(folder(tmp_path, path="pets", boxes="flat"), "cat/10").boxes) == 1
    write_voc(tmp_path / "flat/1.xml", (1, 1, 2, 2))
    with pytest.raises(XaibenchError, match=r"1\.xml could belong to 'cat/old/1' or to 'dog/1'"):
        folder(tmp_path, path="pets", boxes="flat")


def test_boxes_of_pascal_voc_count_from_one_and_include_the_last_pixel(tmp_path, pets):
    write_voc(pets / "cat/9.xml", (2, 1, 5, 3), ("7.0", " 4 ", "7.2", "4"))
    sample = only(folder(tmp_path, path="pets"), "cat/9")
    assert sample.boxes == (Box(1, 0, 5, 3), Box(6, 3, 7, 4))
    mask = read_files(sample).mask
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[0:3, 1:5] = expected[3, 6] = 1
    np.testing.assert_array_equal(mask, expected)


def test_boxes_are_scaled_to_the_image_they_belong_to(tmp_path, pets):
    write_voc(pets / "cat/9.xml", (21, 11, 40, 30), size=("70.0", 40))
    assert only(folder(tmp_path, path="pets"), "cat/9").boxes == (Box(2, 1, 4, 3),)
    write_voc(pets / "cat/9.xml", (2, 1, 3, 3), size=(4, 7))
    with pytest.raises(XaibenchError, match=r"9\.xml: it was drawn on an image of 4x7, but .* 7x4"):
        folder(tmp_path, path="pets")


def test_objects_of_other_classes_are_no_evidence_but_names_of_no_class_are(tmp_path, pets):
    write_voc(pets / "cat/9.xml", (1, 1, 2, 2), name="dog")
    write_voc(pets / "cat/10.xml", (1, 1, 2, 2), name="CAT")
    write_voc(pets / "dog/1.xml", (1, 1, 2, 2), name="tumour")
    dataset = folder(tmp_path, path="pets")
    counts = {sample.id: len(sample.boxes) for sample in dataset.samples}
    assert counts == {"cat/9": 0, "cat/10": 1, "cat/old/1": 0, "dog/1": 0}
    assert dataset.notes == ("boxes of tumour don't count: no class is called so.",)
    for file in ("cat/9", "cat/10"):
        (pets / f"{file}.xml").unlink()
    write_voc(pets / "dog/1.xml", (1, 1, 2, 2), (3, 1, 5, 1), name="tumour")
    named, thin = folder(tmp_path, path="pets").notes
    assert len(only(folder(tmp_path, path="pets"), "dog/1").boxes) == 2
    assert named.startswith("boxes are called tumour, as no class is: all count")
    assert thin == "boxes of 1 images are a single pixel wide or high, such as in dog/1."


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("<polygon/>", "an object has polygons, where <bndbox> is read"),
        ("<robndbox/>", "turned boxes"),
        ("<name>x</name>", "an object has no box"),
    ],
)
def test_objects_without_boxes_are_named_unless_deleted(tmp_path, pets, inside, message):
    file = pets / "cat/9.xml"
    file.write_text(f"<annotation><object>{inside}</object></annotation>")
    with pytest.raises(XaibenchError, match=rf"9\.xml: .*{message}"):
        folder(tmp_path, path="pets")
    file.write_text(f"<annotation><object>{inside}<deleted> True </deleted></object></annotation>")
    assert not folder(tmp_path, path="pets").annotated


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><annotation>&b;</annotation>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not well-formed"),
        (b"<annotation><object>", "not well-formed"),
        (b"\xff\xfe\x00", "not well-formed"),
        (b"<annotation>&x;</annotation>", "not well-formed"),
        (b"<html/>", "root is <html>"),
        (BOMB.encode(), "declares a document type"),
        (('<?xml version="1.0" encoding="UTF-16"?>' + BOMB).encode("utf-16"), "document type"),
    ],
)
def test_malformed_xml_is_named(tmp_path, pets, content, message):
    (pets / "cat/9.xml").write_bytes(content)
    with pytest.raises(XaibenchError, match=rf"9\.xml: .*{message}"):
        folder(tmp_path, path="pets")


@pytest.mark.parametrize(
    "box",
    [
        (8, 1, 9, 3),
        (0.1, 0.1, 0.5, 0.5),
        ("0.0", "0.0", "1.0", "1.0"),
        (5, 1, 4, 3),
        (1, 3, 2, 2),
        (-5, 1, 0, 3),
        ("nan", 1, 2, 2),
        ("", 1, 2, 2),
        (1, 1, 2, "x"),
    ],
)
def test_impossible_boxes_are_named(tmp_path, pets, box):
    write_voc(pets / "cat/9.xml", box)
    with pytest.raises(XaibenchError, match=r"9\.xml: "):
        folder(tmp_path, path="pets")


def test_missing_option_shows_the_usage(tmp_path):
    with pytest.raises(XaibenchError, match=r"path is missing; write folder\[path=DIR\]"):
        folder(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "pats"}, r"folder\[path=pats\]: there is nothing at .*pats"),
        ({"path": "pets/cat/old"}, r"old: it has no subfolders"),
        ({"path": "single"}, r"single: only one class \(cat\)"),
        ({"path": "hollow"}, r"hollow/dog: no images \(\.bmp, "),
        ({"path": "pets", "classes": ("cat", "dogs")}, r"no class 'dogs' \(did you mean 'dog'\?\)"),
        ({"path": "pets", "classes": ("cat", "cat")}, "two classes, each once"),
        ({"path": "pets", "classes": ("cat",)}, "two classes, each once"),
        ({"path": "pets", "masks": "none"}, r"folder\[masks=none\]: there is nothing at"),
        ({"path": "pets", "masks": "single"}, r"masks=.*single: no file there is named like an im"),
        ({"path": "pets", "masks": "pets"}, "this is path itself"),
        ({"path": "pets", "boxes": "pets/cat/9.png"}, r"folder\[boxes=.*not a folder"),
        ({"path": "twice"}, r"1\.jpg and 1\.png differ only in their ending"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, pets, options, message):
    draw(tmp_path / "single/cat/x.png", tmp_path / "hollow/cat/1.png")
    (tmp_path / "hollow/dog").mkdir()
    draw(tmp_path / "twice/cat/1.png", tmp_path / "twice/cat/1.jpg", tmp_path / "twice/dog/1.png")
    with pytest.raises(XaibenchError, match=message):
        folder(tmp_path, **options)


def test_manifest_with_masks_and_groups(tmp_path, pets):
    draw(pets / "m/a.png", pets / "m/b.png")
    table = pets / "table.csv"
    table.write_text(
        "\ufeffimage, label,mask,group,age\n"
        "dog/1.bmp,dog,,,3\n"
        '"cat/9.png",cat,m/a.png; m/b.png,anna,4\n'
        "./cat/10.jpg,cat,,anna,4\n",
        encoding="utf-8",
    )
    dataset = folder(tmp_path, path="pets/table.csv")
    assert dataset.classes == ("cat", "dog")
    assert ids(dataset) == ["dog/1", "cat/9", "cat/10"]
    assert [sample.label for sample in dataset.samples] == [1, 0, 0]
    assert [sample.group for sample in dataset.samples] == ["", "anna", "anna"]
    masks = only(dataset, "cat/9").masks
    assert [layer.path for layer in masks] == [pets / "m/a.png", pets / "m/b.png"]
    assert folder(tmp_path, path=str(table), classes=("dog", "cat")).classes == ("dog", "cat")


def test_ids_of_a_manifest_never_lead_outside(tmp_path, pets):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/t.csv").write_text(
        f"image,label\n../pets/cat/9.png,cat\n{pets / 'dog/1.bmp'},dog\n"
    )
    first, second = ids(folder(tmp_path, path="lists/t.csv"))
    assert first == "pets/cat/9"
    assert not second.startswith("/")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column 'image', only nothing"),
        ("image;label\n1;2\n", r"line 2: there is no file .*/1;"),
        ("image,class\ncat/9.png,cat\n", "no column 'label', only image, class"),
        ("image,label,maks\ncat/9.png,cat,\n", r"column 'maks' .*did you mean 'mask'"),
        ("image,label\n", "it has no rows"),
        ("image,label\ncat/9.png\n", "line 2: it has not as many values"),
        ("image,label\ncat/9.png,cat,x\n", "line 2: it has not as many values"),
        ("image,label\ncat/9.png,cat\n,dog\n", "line 3: no image"),
        ("image,label\ncat/9.png,\n", "line 2: no label"),
        ("image,label\ncat/8.png,cat\n", r"line 2: there is no file .*cat/8\.png"),
        ("image,label,mask\ncat/9.png,cat,no.png\n", r"line 2: there is no file .*no\.png"),
        ("image,label\ncat/9.png,cat\n", "only one class"),
        ("image,label\ncat/9.png,a\ncat/9.png,b\n", "line 3: 'cat/9' is in line 2 already"),
        ('image,label\n"cat/9.png"x,cat\n', "not a readable CSV"),
    ],
)
def test_bad_manifests(tmp_path, pets, content, message):
    (pets / "t.csv").write_text(content)
    with pytest.raises(XaibenchError, match=message):
        folder(tmp_path, path="pets/t.csv")


def test_manifest_that_is_no_text_and_options_that_do_not_suit_one(tmp_path, pets):
    with pytest.raises(XaibenchError, match=r"9\.png: not a readable CSV file in UTF-8"):
        folder(tmp_path, path="pets/cat/9.png")
    (pets / "t.csv").write_text("image,label\n")
    with pytest.raises(XaibenchError, match="go with a folder"):
        folder(tmp_path, path="pets/t.csv", masks="pets")
