"""What labeling tools export: the same objects in every format, and what is refused."""

import base64
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_masks

from xaibench.core.data import IGNORED
from xaibench.core.errors import XaibenchError
from xaibench.datasets.folder import folder

SIZES = {"a": (30, 20), "b": (20, 30), "c": (40, 20), "d": (30, 20)}  # width, height
# Of each image: class, and a box as left, top, right, bottom; right and bottom are exclusive.
OBJECTS = {
    "a": [("cat", (3, 2, 13, 8)), ("dog", (20, 12, 24, 15))],
    "b": [("dog", (5, 10, 15, 25))],
    "c": [("cat", (1, 1, 30, 11))],
    "d": [],
}
OWN = {"a": "cat", "b": "dog", "c": "cat"}


@pytest.fixture
def place(tmp_path):
    for name, (width, height) in SIZES.items():
        path = tmp_path / "images" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(path)
    return tmp_path


def wanted(name):
    mask = np.zeros(SIZES[name][::-1], np.int8)
    for kind, (left, top, right, bottom) in OBJECTS[name]:
        if kind == OWN[name]:
            mask[top:bottom, left:right] = 1
    return mask


def corners(box):
    left, top, right, bottom = box
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def check(path, kind, **options):
    found = folder(path.parent, path=str(path), **options)
    assert found.classes == ("cat", "dog")
    names = {sample.path.stem: sample for sample in found.samples}
    assert {name: found.classes[each.label] for name, each in names.items()} == OWN
    for name, sample in names.items():
        assert np.array_equal(found.read(sample).mask, wanted(name)), name
    assert f"read as {kind}'s annotations." in found.notes
    return found


def as_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def coco(outline=None):
    """Return COCO's JSON; an outline of a box is its polygon, or something else."""

    def polygon(box, _):
        return {"segmentation": [[x for corner in corners(box) for x in corner]]}

    names, rows = list(SIZES), []
    for name in names:
        for kind, box in OBJECTS[name]:
            left, top, right, bottom = box
            rows.append({
                "id": len(rows) + 1, "image_id": names.index(name), "iscrowd": 0,
                "category_id": {"cat": 17, "dog": 18}[kind],
                "bbox": [left, top, right - left, bottom - top],
                "area": (right - left) * (bottom - top), **(outline or polygon)(box, SIZES[name]),
            })  # fmt: skip
    return {
        "images": [{"id": at, "file_name": f"{name}.png", "width": SIZES[name][0],
                    "height": SIZES[name][1]} for at, name in enumerate(names)],
        "annotations": rows,
        "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
    }  # fmt: skip


def runs_of(box, size):
    """Return an uncompressed run-length encoding: columns one after another."""
    mask = np.zeros(size[::-1], np.uint8)
    left, top, right, bottom = box
    mask[top:bottom, left:right] = 1
    flat = mask.ravel(order="F")
    ends = [*np.flatnonzero(np.diff(flat)) + 1, len(flat)]
    counts = np.diff([0, *ends]).tolist()
    return {"segmentation": {"counts": counts if not flat[0] else [0, *counts],
                             "size": list(size[::-1])}}  # fmt: skip


def encoded(counts):
    return {"segmentation": {"counts": counts, "size": [20, 30]}}


def compressed(box, size):
    mask = np.zeros(size[::-1], np.uint8, order="F")
    left, top, right, bottom = box
    mask[top:bottom, left:right] = 1
    found = coco_masks.encode(mask)
    return {"segmentation": found | {"counts": found["counts"].decode()}}


@pytest.mark.parametrize("outline", [None, runs_of, compressed, lambda *_: {}])
def test_coco(place, outline):
    check(as_json(place / "instances.json", coco(outline)), "COCO")
    found = check(place, "COCO")
    assert any(note.startswith("1 images have no object") for note in found.notes)


def test_coco_leaves_crowds_open_and_takes_parts_from_folders(tmp_path, place):
    content = coco()
    content["annotations"][1] |= {"iscrowd": 1, "category_id": 17,
                                  **runs_of((20, 12, 24, 15), SIZES["a"])}  # fmt: skip
    as_json(place / "annotations" / "instances_val2017.json", content)
    found = folder(place, path=str(place))
    sample = next(each for each in found.samples if each.path.stem == "a")
    mask = wanted("a")
    mask[12:15, 20:24] = IGNORED
    assert np.array_equal(found.read(sample).mask, mask)
    assert {each.part for each in found.samples} == {"validation"}


def test_coco_of_crowds_alone_says_so(place):
    content = coco()
    for each in content["annotations"]:
        each |= {"iscrowd": 1}
    as_json(place / "instances.json", content)
    with pytest.raises(XaibenchError, match="all objects are crowds, which name no image"):
        folder(place, path=str(place))


def test_images_without_objects_can_be_a_class(place):
    as_json(place / "instances.json", coco())
    found = folder(place, path=str(place), nothing="healthy")
    assert found.classes == ("cat", "dog", "healthy")
    (sample,) = [each for each in found.samples if each.label == 2]
    assert sample.path.stem == "d"
    assert not found.read(sample).mask.any()
    single = folder(place, path=str(place), objects="single")
    assert sorted(each.path.stem for each in single.samples) == ["b", "c"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["images"][0].update(width=60), "'images/a' were drawn on an image of 60x20"),
        (lambda c: c["annotations"][0].update(image_id=9), "belongs to the image 9, which isn't"),
        (lambda c: c["annotations"][0].update(segmentation=[[1, 2, 3]]), "a polygon of 3 numbers"),
        (lambda c: c["annotations"][0].update(segmentation=[[1, 2, 9e9, 4, 5, 6]]), "to 9e.09"),
        (lambda c: c["annotations"][0].pop("category_id"), "not as COCO writes it .KeyError"),
        (lambda c: c["annotations"][0].update(category_id=94), "of the category 94, which isn't"),
        (lambda c: c["annotations"][0].update(encoded("52203")), "counts sum to 16, not"),
        (lambda c: c["annotations"][0].update(encoded([-1, 601])), "a count of -1"),
        (lambda c: [each.update(file_name="x.png") for each in c["images"]], "none of its images"),
    ],
)  # fmt: skip
def test_coco_that_is_not_as_it_should_be(place, change, said):
    content = coco()
    change(content)
    as_json(place / "instances.json", content)
    with pytest.raises(XaibenchError, match=rf"instances\.json: .*{said}"):
        folder(place, path=str(place))


def labelme(name):
    shapes = []
    for at, (kind, box) in enumerate(OBJECTS[name]):
        left, top, right, bottom = box
        shape = {"label": kind, "shape_type": "polygon", "points": corners(box)}
        if at % 2:
            buffer = io.BytesIO()
            Image.fromarray(np.full((bottom - top, right - left), 255, np.uint8)).save(
                buffer, "png"
            )
            shape |= {"shape_type": "mask", "points": [[left, top], [right - 1, bottom - 1]],
                      "mask": base64.b64encode(buffer.getvalue()).decode()}  # fmt: skip
        elif name == "c":
            shape |= {"shape_type": "rectangle", "points": [[right, bottom], [left, top]]}
        shapes.append(shape)
    shapes.append({"label": "cat", "shape_type": "linestrip", "points": [[0, 0], [9, 9]]})
    return {"version": "5.4.1", "flags": {}, "shapes": shapes,
            "imagePath": f"..\\images\\{name}.png", "imageData": None,
            "imageWidth": SIZES[name][0], "imageHeight": SIZES[name][1]}  # fmt: skip


@pytest.mark.parametrize("where", ["images", "json"])
def test_labelme(place, where):
    for name in OWN:
        as_json(place / where / f"{name}.json", labelme(name))
    notes = check(place, "LabelMe").notes
    assert f"{len(OWN)} objects of {len(OWN)} images cover nothing" in " ".join(notes)


def shape(points, label="cat", kind="polygon"):
    return {"label": label, "shape_type": kind, "points": points}


def test_objects_that_cover_nothing_are_told_and_make_nobody_healthy(place):
    for name in OWN:
        as_json(place / "images" / f"{name}.json", labelme(name))
    flat, outside = shape([[3, 3], [9, 3], [3, 3]]), shape([[50, 2], [60, 2], [60, 9]])
    as_json(place / "images" / "d.json", labelme("d") | {"shapes": [flat, outside]})
    found = check(place, "LabelMe", nothing="healthy")
    assert "5 objects of 4 images cover nothing" in " ".join(found.notes)


def test_labelme_that_is_not_as_it_should_be(place):
    for name in OWN:
        as_json(place / "images" / f"{name}.json", labelme(name))
    good = labelme("d")
    for change, said in (
        ({"shapes": [shape([[float("nan"), 2], [9, 2], [9, 9]])]}, "a corner that is no number"),
        ({"shapes": [shape([[1, 2], [9, 2], [9, 9]], label=None)]}, "an object has no name"),
        ({"imagePath": "a.png"}, r"its imagePath is 'a\.png', but images/d\.png lies beside it"),
    ):
        as_json(place / "images" / "d.json", good | change)
        with pytest.raises(XaibenchError, match=rf"d\.json: .*{said}"):
            folder(place, path=str(place))
    (place / "images" / "a.json").write_text("{")
    with pytest.raises(XaibenchError, match=r"a\.json: not readable JSON"):
        folder(place, path=str(place))


def test_labelme_in_class_folders_marks_its_own_class(place):
    for name, label in {**OWN, "d": "dog"}.items():
        (place / label).mkdir(exist_ok=True)
        (place / "images" / f"{name}.png").rename(place / label / f"{name}.png")
        as_json(place / label / f"{name}.json", labelme(name))
    (place / "images").rmdir()
    found = folder(place, path=str(place))
    masks = {each.path.stem: found.read(each).mask for each in found.samples}
    labels = {each.path.stem: found.classes[each.label] for each in found.samples}
    assert labels == {**OWN, "d": "dog"}
    assert all(np.array_equal(masks[name], wanted(name)) for name in OWN)
    assert masks["d"] is None
    assert not any("not read" in note for note in found.notes)


def cvat_shape(kind, box, at):
    left, top, right, bottom = box
    if at == 0:
        points = ";".join(f"{x}.0,{y}.0" for x, y in corners(box))
        return f'<polygon label="{kind}" source="manual" occluded="0" points="{points}"/>'
    if at == 1:
        width, height = right - left, bottom - top
        rle = ", ".join(map(str, [width + 2, width * height - width - 2]))
        return (f'<mask label="{kind}" rle="{rle}" left="{left}" top="{top}" width="{width}" '
                f'height="{height}"/>')  # fmt: skip
    return f'<box label="{kind}" xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"/>'


def cvat(tag=""):
    images = "".join(
        f'<image id="{at}" name="{name}.png" width="{w}" height="{h}">'
        + "".join(cvat_shape(kind, box, at) for kind, box in OBJECTS[name])
        + tag + '<points label="cat" points="1,1"/></image>'
        for at, (name, (w, h)) in enumerate(SIZES.items())
    )  # fmt: skip
    return f"<annotations><version>1.1</version><meta/>{images}</annotations>"


def test_cvat(place):
    (place / "annotations.xml").write_text(cvat())
    found = folder(place, path=str(place))
    masks = {each.path.stem: found.read(each).mask for each in found.samples}
    assert np.array_equal(masks["a"], wanted("a"))
    assert np.array_equal(masks["c"], wanted("c"))
    dog = wanted("b")
    dog[10, 5:15] = dog[11, 5:7] = 0  # the mask begins with a row and two pixels outside
    assert np.array_equal(masks["b"], dog)


def test_cvat_turns_boxes_and_ellipses_clockwise(tmp_path):
    for name in "ab":
        Image.new("L", (41, 31)).save(tmp_path / f"{name}.png")
    shapes = {
        "a": '<box label="x" xtl="10.5" ytl="13.5" xbr="30.5" ybr="17.5" rotation="30"/>',
        "b": '<ellipse label="y" cx="20.5" cy="15.5" rx="12" ry="4" rotation="30"/>',
    }
    images = "".join(f'<image name="{n}.png" width="41" height="31">{s}</image>'
                     for n, s in shapes.items())  # fmt: skip
    (tmp_path / "annotations.xml").write_text(f"<annotations>{images}</annotations>")
    found = folder(tmp_path, path=str(tmp_path))
    rows, columns = np.mgrid[:31, :41]
    x, y = columns - 20, rows - 15
    along = x * np.cos(np.pi / 6) + y * np.sin(np.pi / 6)
    across = y * np.cos(np.pi / 6) - x * np.sin(np.pi / 6)
    box, oval = (found.read(sample).mask for sample in found.samples)
    assert np.array_equal(box, (abs(along) <= 10) & (abs(across) <= 2))
    assert np.array_equal(oval, (along / 12) ** 2 + (across / 4) ** 2 <= 1)
    assert oval[20, 28] == 1  # right and down, as the screen shows a turn to the right
    assert oval[10, 28] == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (cvat('<tag label="x"/><tag label="y"/>'), "'a.png' has several tags"),
        ("<annotations><track/></annotations>", "exported for videos"),
        ("<!DOCTYPE a><annotations></annotations>", "declares a document type"),
        (cvat().replace('rle="12, ', 'rle="3, '), "an rle of .* pixels for 10x15"),
    ],
)
def test_cvat_that_cannot_be_read(place, content, said):
    (place / "annotations.xml").write_text(content)
    with pytest.raises(XaibenchError, match=said):
        folder(place, path=str(place / "annotations.xml"))


def pack_brush(mask):
    """Pack a mask as Label Studio does: here in runs of equal values, counts of 16 bits."""
    values = np.repeat(mask.ravel() * 255, 4)
    bits = f"{values.size:032b}{7:05b}" + "".join(f"{n - 1:04b}" for n in (3, 4, 8, 16))
    ends = [*np.flatnonzero(np.diff(values)) + 1, values.size]
    for first, last in zip([0, *ends], ends, strict=False):
        bits += f"1{3:02b}{last - first - 1:016b}{values[first]:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def label_studio(name, at):
    width, height = SIZES[name]
    results = []
    for number, (kind, box) in enumerate(OBJECTS[name]):
        x, y, right, bottom = (100 * v / s for v, s in zip(box, (width, height) * 2, strict=True))
        if name == "b":
            mask = wanted(name).astype(np.uint8)
            value = {"format": "rle", "rle": pack_brush(mask), "brushlabels": [kind]}
        elif number:
            value = {"points": [[x, y], [right, y], [right, bottom], [x, bottom]],
                     "polygonlabels": [kind]}  # fmt: skip
        else:
            value = {"x": x, "y": y, "width": right - x, "height": bottom - y, "rotation": 0,
                     "rectanglelabels": [kind]}  # fmt: skip
        results.append({"type": next(k for k in value if k.endswith("labels")), "value": value,
                        "original_width": width, "original_height": height})  # fmt: skip
    image = f"/data/upload/1/0a1b2c3d-{name}.png" if at % 2 else f"s3://bucket/images/{name}.png"
    annotations = [{"result": [], "was_canceled": True}, {"result": results}]
    return {"id": at, "data": {"image": image}, "annotations": annotations}


def test_label_studio(place):
    tasks = [label_studio(name, at) for at, name in enumerate(OWN)]
    check(as_json(place / "project-1.json", tasks), "Label Studio")
    tasks[0]["annotations"].append({"result": []})
    as_json(place / "project-1.json", tasks)
    with pytest.raises(XaibenchError, match="the task 0 has 2 annotations"):
        folder(place, path=str(place))


def yolo(place, polygons, layout="labels"):
    for name, objects in OBJECTS.items():
        lines = []
        for kind, (left, top, right, bottom) in objects:
            width, height = SIZES[name]
            cells = [left, top, right, top, right, bottom, left, bottom]
            if not polygons:
                cells = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
            shares = [value / (width, height)[at % 2] for at, value in enumerate(cells)]
            lines.append(" ".join(map(str, [("cat", "dog").index(kind), *shares])))
        path = place / layout / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))


@pytest.mark.parametrize("polygons", [True, False])
def test_yolo(place, polygons):
    yolo(place, polygons)
    with pytest.raises(XaibenchError, match=r"nothing names their classes; add a data\.yaml"):
        folder(place, path=str(place))
    (place / "data.yaml").write_text("names: ['cat', \"dog\"]\n")
    check(place, "YOLO")
    check(place / "data.yaml", "YOLO")
    (place / "data.yaml").rename(place / "pets.yaml")
    check(place / "pets.yaml", "YOLO")


def test_points_of_a_pose_are_no_polygon(place):
    yolo(place, polygons=False)
    (place / "data.yaml").write_text("names: [cat, dog]\nkpt_shape: [2, 3]\n")
    for file in (place / "labels").glob("*.txt"):
        lines = [f"{line} .1 .1 1 .9 .9 1" for line in file.read_text().splitlines()]
        file.write_text("\ufeff" + "\n".join(lines), "utf-8")
    check(place, "YOLO")


def test_the_layout_of_roboflow(place):
    (place / "train").mkdir()
    (place / "valid").mkdir()
    (place / "images").rename(place / "train" / "images")
    yolo(place, polygons=False, layout="train/labels")
    (place / "README.roboflow.txt").write_text("about\n")
    (place / "data.yaml").write_text("train: ../train/images\nnc: 2\nnames: ['cat', 'dog']\n")
    found = check(place, "YOLO")
    assert {sample.part for sample in found.samples} == {"train"}


def test_pascal_voc_without_class_folders(place):
    (place / "images").rename(place / "JPEGImages")
    for name, objects in OBJECTS.items():
        boxes = "".join(
            f"<object><name>{kind}</name><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin>"
            f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
            for kind, (left, top, right, bottom) in objects
        )
        path = place / "Annotations" / f"{name}.xml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'<annotation verified="yes">{boxes}</annotation>')
    (place / "SegmentationClass").mkdir()
    Image.fromarray(np.ones(SIZES["a"][::-1], np.uint8)).save(place / "SegmentationClass/a.png")
    found = check(place, "Pascal VOC")
    assert any(note.startswith("1 images in folders that are named after") for note in found.notes)
    (place / "Annotations" / "a.xml").write_text("")
    with pytest.raises(XaibenchError, match=r"a\.xml: not well-formed XML"):
        folder(place, path=str(place))


def test_coco_of_parts_whose_images_have_the_same_names(place):
    for part in ("train", "val"):
        shutil.copytree(place / "images", place / part)
        as_json(place / "annotations" / f"instances_{part}2017.json", coco())
    shutil.rmtree(place / "images")
    found = folder(place, path=str(place))
    told = [(sample.part, sample.path.parent.name) for sample in found.samples]
    assert sorted(told) == [("train", "train")] * 3 + [("validation", "val")] * 3


def test_two_exports_of_one_folder_are_told_apart(place):
    as_json(place / "instances.json", coco())
    (place / "annotations.xml").write_text(cvat())
    with pytest.raises(XaibenchError, match="annotations of COCO and of CVAT lie there"):
        folder(place, path=str(place))
    check(place / "instances.json", "COCO")


def test_class_folders_beside_an_export_are_refused(place):
    for name, label in {**OWN, "d": "dog"}.items():
        (place / "images" / label).mkdir(exist_ok=True)
        (place / "images" / f"{name}.png").rename(place / "images" / label / f"{name}.png")
    as_json(place / "instances.json", coco())
    with pytest.raises(XaibenchError, match=r"lie beside COCO's instances\.json; name that file"):
        folder(place, path=str(place))
    check(place / "instances.json", "COCO")
    folders = folder(place, path=str(place), classes=("cat", "dog"))
    assert not folders.annotated
    assert len(folders.samples) == 4


def test_json_of_nobody_is_named(place):
    as_json(place / "settings.json", {"a": 1})
    with pytest.raises(XaibenchError, match="neither COCO's JSON nor Label Studio's"):
        folder(place, path=str(place / "settings.json"))
    with pytest.raises(XaibenchError, match="neither COCO's JSON nor Label Studio's"):
        folder(place, path=str(place))
    (place / "settings.json").write_text("{")
    with pytest.raises(XaibenchError, match="not readable JSON"):
        folder(place, path=str(place / "settings.json"))
