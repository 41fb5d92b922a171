"""Tiny datasets of photographs and scans, in the very layout that users download.

Images are wider than high, and the classes differ by a patch of color whose place varies
from image to image; it is what masks and boxes mark.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.io import savemat

from xaibench.core.data import Box

SHAPE = (30, 44)
SPECIES = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "016.Painted_Bunting")
BREEDS = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel", "n02113799-standard_poodle")
SKIN = ("healthy", "inflammatory", "lesion", "other")
COLORS = ((210, 60, 40), (50, 90, 220), (60, 190, 70), (200, 190, 40))


class Scene(NamedTuple):
    """An image ``(H, W, 3)`` and the box of its patch."""

    image: np.ndarray
    box: Box


def draw(label, number):
    """Return a scene; the same for the same label and number."""
    rng = np.random.default_rng([label, number])
    image = rng.integers(90, 130, (*SHAPE, 3))
    top, left = rng.integers(3, 12), rng.integers(3, 20)
    box = Box(int(left), int(top), int(left + 14), int(top + 9))
    image[box.top : box.bottom, box.left : box.right] = COLORS[label]
    return Scene((image + rng.integers(0, 9, image.shape)).astype(np.uint8), box)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(
        path, **({} if path.suffix == ".png" else {"quality": 95, "subsampling": 0})
    )


def make_cub(root, per_class=4):
    """CUB-200-2011: every second image of a class is for training, and numbers have gaps."""
    folder = root / "CUB_200_2011"
    tables = {name: [] for name in ("images", "image_class_labels", "train_test_split",
                                    "bounding_boxes")}  # fmt: skip
    for label, species in enumerate(SPECIES):
        for number in range(per_class):
            key, stem = 100 * label + 3 * number, f"{species}/Bird_{number:04}_{label}"
            image, box = draw(label, number)
            save(folder / "images" / f"{stem}.jpg", image)
            save(folder / "segmentations" / f"{stem}.png", vote(box))
            left, top, right, bottom = box
            tables["images"].append(f"{key} {stem}.jpg")
            tables["image_class_labels"].append(f"{key} {int(species[:3])}")
            tables["train_test_split"].append(f"{key} {1 - number % 2}")
            tables["bounding_boxes"].append(
                f"{key} {left}.0 {top}.0 {right - left}.0 {bottom - top}.0"
            )
    tables["classes"] = [f"{int(species[:3])} {species}" for species in SPECIES]
    for name, lines in tables.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def vote(box):
    """Return the votes of five people in grays: all for the middle, three within, two around."""
    votes = np.zeros(SHAPE, np.uint8)
    for grow, people in ((1, 2), (0, 3), (-3, 5)):
        left, top, right, bottom = box
        votes[top - grow : bottom + grow, left - grow : right + grow] = 51 * people
    return votes


def make_cub_2010(root, per_class=4):
    """CUB-200 of 2010: outlines and boxes in MATLAB's files, lists of training and test images."""
    folder = root / "CUB_200"
    lists = {"train": [], "test": []}
    for label, species in enumerate(SPECIES):
        for number in range(per_class):
            image, box = draw(label, number)
            stem = f"{species}/Bird_{number:04}_{label}"
            save(folder / "images" / f"{stem}.jpg", image)
            outline = np.zeros(SHAPE, np.uint8)
            outline[box.top : box.bottom, box.left : box.right] = 1
            path = folder / "annotations-mat" / f"{stem}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            bounds = {side: float(getattr(box, side)) for side in Box._fields}
            savemat(path, {"seg": outline, "bbox": bounds, "wikipedia_url": "none"})
            lists["test" if number % 2 else "train"].append(f"{stem}.jpg")
    (folder / "lists").mkdir()
    for part, lines in lists.items():
        (folder / "lists" / f"{part}.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def make_stanford_dogs(root, per_class=4):
    """Stanford Dogs: annotations without ending, lists in MATLAB's files."""
    folder = root / "stanford_dogs"
    lists = {"train": [], "test": []}
    for label, breed in enumerate(BREEDS):
        (folder / "Annotation" / breed).mkdir(parents=True)
        for number in range(per_class):
            image, box = draw(label, number)
            stem = f"{breed}/{breed[:9]}_{7 * number + 2}"
            save(folder / "Images" / f"{stem}.jpg", image)
            corners = {"xmin": box.left + 1, "ymin": box.top + 1, "xmax": box.right,
                       "ymax": box.bottom}  # fmt: skip
            bounds = "".join(f"<{side}>{value}</{side}>" for side, value in corners.items())
            text = f"<annotation><object><bndbox>{bounds}</bndbox></object></annotation>"
            (folder / "Annotation" / stem).write_text(text, "utf-8")
            lists["test" if number % 2 else "train"].append(f"{stem}.jpg")
    (folder / "lists").mkdir()
    for part, files in lists.items():
        cells = np.empty((len(files), 1), object)
        cells[:, 0] = files
        savemat(folder / "lists" / f"{part}_list.mat", {"file_list": cells})
    return folder


def make_dogs_vs_cats(root, per_class=4):
    """Kaggle's training images, whose numbers aren't of one length."""
    folder = root / "dogs-vs-cats"
    for label, name in enumerate(("cat", "dog")):
        for number in range(per_class):
            save(folder / "train" / f"{name}.{8 + number}.jpg", draw(label, number).image)
    return folder


def make_chest_xray(root, per_class=4):
    """Chest X-rays: three images of each class in train and test for one in val."""
    folder = root / "chest_xray"
    names = ("NORMAL/{}IM-{:04}-0001", "PNEUMONIA/person{}_bacteria_{}",
             "PNEUMONIA/person{}_virus_{}")  # fmt: skip
    for label, name in enumerate(names):
        for number in range(per_class):
            gray = draw(label, number).image.mean(axis=2).astype(np.uint8)
            part = ("train", "test", "val", "train")[number % 4]
            first = ("", "NORMAL2-")[number % 2] if label == 0 else 1 + 500 * label + number
            save(folder / part / f"{name.format(first, 10 + number)}.jpeg", gray)
    return folder


def make_skin_hfus(root, per_class=4):
    """Skin scans: air, entry echo, upper and lower dermis, fat; a layer each, lying askew."""
    folder = root / "skin_hfus"
    levels = np.array([0, 255, 128, 64, 32], np.uint8)
    for label, name in enumerate(SKIN):
        for number in range(per_class):
            depth = np.arange(SHAPE[0])[:, None] * 5 // SHAPE[0] + np.arange(SHAPE[1]) // 30
            layers = levels[np.minimum(depth, 4)]
            image = draw(label, number).image // 2 + layers[..., None] // 3
            save(folder / "images" / name / f"p{number // 2}_{number}.png", image)
            save(folder / "layers" / name / f"p{number // 2}_{number}.png", layers)
    return folder
