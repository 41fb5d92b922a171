"""The sets of the field's protocols, each in a tiny sample of its published layout."""

import json

import numpy as np
import pytest
from tiny_images import SHAPE, blank, region, save

from xaibench.core.data import IGNORED
from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.datasets.coco import coco
from xaibench.datasets.wsol_images import wsol_images
from xaibench.setup.several import labels_of

HEIGHT, WIDTH = SHAPE


def make_coco(root):
    """Two images a part: a dog and two cats, and crowds of cats beside a dog."""
    for part in ("train", "val"):
        names = [f"COCO_{part}2014_{number:012}.jpg" for number in (7, 9)]
        for name in names:
            save(root / f"{part}2014" / name, blank())
        boxes = [(1, 17, (2, 3, 10, 8), 0), (1, 18, (20, 1, 9, 4), 0), (1, 18, (25, 2, 9, 6), 0),
                 (2, 18, (3, 3, 6, 6), 0), (2, 17, (1, 10, 30, 12), 1)]  # fmt: skip
        annotations = [
            {"image_id": image, "category_id": kind, "iscrowd": crowd, "area": 0, "bbox": box,
             "segmentation": _outline(box, crowd), "id": number}
            for number, (image, kind, box, crowd) in enumerate(boxes)
        ]  # fmt: skip
        content = {
            "images": [{"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}
                       for number, name in enumerate(names, start=1)],
            "categories": [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}],
            "annotations": annotations,
        }  # fmt: skip
        path = root / "annotations" / f"instances_{part}2014.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))


def _outline(box, crowd):
    left, top, width, height = box
    if crowd:  # runs down the columns, what isn't marked first
        mask = np.zeros(SHAPE, np.uint8)
        mask[top : top + height, left : left + width] = 1
        ends = np.flatnonzero(np.diff(mask.T.ravel(), prepend=0))
        runs = np.diff([0, *ends, mask.size]).tolist()
        return {"size": [HEIGHT, WIDTH], "counts": runs}
    right, bottom = left + width, top + height
    return [[left, top, right, top, right, bottom, left, bottom]]


def test_coco_labels_images_by_all_objects(tmp_path):
    make_coco(tmp_path / "coco")
    data = coco(tmp_path)
    assert data.classes == ("cat", "dog")
    assert [(s.id.partition("/")[0], s.part) for s in data.samples[1:3]] == [
        ("train2014", "train"), ("val2014", "test")]  # fmt: skip
    assert labels_of(data.samples).tolist() == [[1, 1], [-1, 1]] * 2
    cats, dogs = data.read(data.samples[2]).class_masks
    assert cats.sum() == 80
    assert dogs.sum() == 9 * 4 + 9 * 6 - 4 * 3  # they overlap
    cats, _ = data.read(data.samples[3]).class_masks
    assert (cats == IGNORED).sum() == 30 * 12
    # As TorchRay takes it: a crowd is marked like an object.
    marked = coco(tmp_path, crowds="marked", classes=("dog", "cat"))
    assert labels_of(marked.samples).tolist() == [[1, 1], [1, 1]] * 2
    assert (marked.read(marked.samples[3]).class_masks[1] == 1).sum() == 30 * 12
    (tmp_path / "coco" / "val2014").rename(tmp_path / "coco" / "elsewhere")
    with pytest.raises(XaibenchError, match="val2014: no such folder"):
        coco(tmp_path)
    with pytest.raises(DataNotFoundError, match="instances_train2017"):
        coco(tmp_path, year=2017)


def write_lists(place, part, files, places):
    place.mkdir(parents=True)
    (place / "image_ids.txt").write_text("".join(f"{file}\n" for file, _ in files))
    labels = "".join(f"{file},{label}\n" for file, label in files)
    (place / "class_labels.txt").write_text(labels)
    if places:
        (place / "localization.txt").write_text("".join(f"{line}\n" for line in places))


def test_openimages_have_masks_and_open_regions(tmp_path):
    data = tmp_path / "wsol" / "dataset" / "OpenImages"
    for part in ("train", "val", "test"):
        files = [(f"{part}/{folder}/{folder}{part}.jpg", label)
                 for label, folder in enumerate(("0bt_c3", "01226z"))]  # fmt: skip
        places = []
        for file, _ in files:
            save(data / file, blank())
            stem = file.removesuffix(".jpg")
            if part != "train":
                second = np.roll(region(), 6, axis=0)
                for name, mask in (("m1", region()), ("m2", second), ("ignore", 1 - region())):
                    save(data / f"{stem}_{name}.png", mask * 255)
                places.append(f"{file},{stem}_m1.png,{stem}_ignore.png")
                places.append(f"{file},{stem}_m2.png,")
        write_lists(tmp_path / "wsol" / "metadata" / "OpenImages" / part, part, files, places)
    found = wsol_images(tmp_path)
    assert found.classes == ("0bt_c3", "01226z")
    assert [s.part for s in found.samples[::2]] == ["train", "validation", "test"]
    assert [s.annotated for s in found.samples] == [False] * 2 + [True] * 4
    mask = found.read(found.samples[-1]).mask
    object_there = (region() | np.roll(region(), 6, axis=0)) > 0
    assert np.array_equal(mask == 1, object_there)
    assert np.array_equal(mask == IGNORED, ~object_there)
    (data / "test/01226z/01226ztest_m2.png").unlink()
    with pytest.raises(XaibenchError, match=r"01226ztest_m2\.png: missing"):
        wsol_images(tmp_path)
    with pytest.raises(DataNotFoundError, match="metadata/CUB"):
        wsol_images(tmp_path, of="cub")


def test_birds_have_boxes_whose_ends_are_pixels(tmp_path):
    for part in ("train", "val", "test"):
        files = [(f"{species}/{part}{label}.jpg", label)
                 for label, species in enumerate(("001.A", "002.B"))]  # fmt: skip
        for file, _ in files:
            save(tmp_path / "dataset" / "CUB" / file, blank())
        places = [f"{file},8,5,29,13" for file, _ in files] if part != "train" else []
        write_lists(tmp_path / "metadata" / "CUB" / part, part, files, places)
    found = wsol_images(tmp_path, of="cub", per_class=1)
    assert found.classes == ("001.A", "002.B")
    assert len(found.samples) == 6
    assert np.array_equal(found.read(found.samples[-1]).mask, region())
    lists = tmp_path / "metadata" / "CUB" / "val"
    (lists / "localization.txt").write_text("001.A/val0.jpg,8,5\n001.A/val0.jpg,8\n")
    with pytest.raises(XaibenchError, match="line 2: 2 values where 3 or 5 belong"):
        wsol_images(tmp_path, of="cub")
