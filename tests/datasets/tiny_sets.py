"""Small copies of published datasets in their very layout; pictures are wider than high."""

import gzip
import hashlib
import pickle

import numpy as np
from PIL import Image
from scipy.io import savemat
from tiny_photos import save
from torchvision.datasets import CIFAR10

VOC_PALETTE = [value for index in range(256) for value in (index, 255 - index, index // 2)]


def make_mnist(root, train=30, test=20, shape=(20, 28), packed=True):
    """Digits in turn; digit d is a bar of gray 200 from row 3 on, in column 2d + 1."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        digits = (np.arange(count) % 10).astype(np.uint8)
        images = np.zeros((count, *shape), np.uint8)
        images[np.arange(count), 3:, 2 * digits + 1] = 200
        images[:, 1, 0] = 127  # too dark for a stroke
        for content, array in (("images-idx3", images), ("labels-idx1", digits)):
            data = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            data += array.tobytes()
            name = f"{part}-{content}-ubyte"
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(data, 1))
            else:
                (folder / name).write_bytes(data)
    return folder


def make_cifar10(root, monkeypatch, each=20):
    """Six batches; label n % 10 has red n, green at the top left only. Their checksums hold."""
    folder = root / CIFAR10.base_folder
    folder.mkdir(parents=True)

    def write(name, content):
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    def batch(name):
        pixels = np.zeros((each, 3, 32, 32), np.uint8)
        labels = [n % 10 for n in range(each)]
        pixels[:, 0] = 10 * np.array(labels)[:, None, None]
        pixels[:, 1, :8, :4] = 255
        return [name, write(name, {"data": pixels.reshape(each, -1), "labels": labels})]

    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship"]
    meta = write("batches.meta", {"label_names": [*names, "truck"]})
    monkeypatch.setattr(CIFAR10, "train_list", [batch(f"data_batch_{n}") for n in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [batch("test_batch")])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": meta})
    return folder


def voc_truth(values, shape=(30, 40)):
    """Boxes of one class after the other, a third of the width each, rows 5 to 20; void around."""
    truth = np.zeros(shape, np.uint8)
    for place, value in enumerate(values):
        left = 1 + 13 * place
        truth[4:21, left : left + 11 - 2 * place] = 255
        truth[5:20, left + 1 : left + 10 - 2 * place] = value
    return truth


def make_voc(root, train, val):
    """Images by name, and the classes' values of the objects in each: ``{"2007_1": [8, 15]}``."""
    folder = root / "VOCdevkit" / "VOC2012"
    lists = folder / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for listed, content in (("train", train), ("val", val)):
        (lists / f"{listed}.txt").write_text("".join(f"{name}\n" for name in content))
        for name, values in content.items():
            truth = voc_truth(values)
            save(folder / "JPEGImages" / f"{name}.jpg", color(truth))
            mask = Image.fromarray(truth)
            mask.putpalette(VOC_PALETTE)
            (folder / "SegmentationClass").mkdir(exist_ok=True)
            mask.save(folder / "SegmentationClass" / f"{name}.png")
    return folder


def make_sbd(root, train, val):
    folder = root / "benchmark_RELEASE" / "dataset"
    (folder / "cls").mkdir(parents=True)
    for listed, content in (("train", train), ("val", val)):
        (folder / f"{listed}.txt").write_text("".join(f"{name}\n" for name in content))
        for name, values in content.items():
            truth = voc_truth(values)
            truth[truth == 255] = 0
            save(folder / "img" / f"{name}.jpg", color(truth))
            savemat(folder / "cls" / f"{name}.mat", {"GTcls": {"Segmentation": truth}})
    return folder


def make_magnetic_tile(root, tiles=2, classes=("Blowhole", "Break", "Crack", "Fray", "Uneven")):
    """Each tile under two exposures, 20 frames apart; the defect of class n is n + 3 rows high."""
    folder = root / "magnetic_tile"
    number = 1000
    for kind, name in enumerate(classes):
        (folder / f"MT_{name}" / "Imgs").mkdir(parents=True)
        for _ in range(tiles):
            for exposure in (1, 2):
                mask = np.zeros((24, 36), np.uint8)
                if name != "Free":
                    mask[4 : 7 + kind, 20:30] = 255
                stem = f"exp{exposure}_num_{number + 20 * exposure}"
                place = folder / f"MT_{name}" / "Imgs" / stem
                save(place.with_suffix(".jpg"), 60 * exposure + mask // 4)
                save(place.with_suffix(".png"), mask)
            number += 1000
    return folder


def make_coco_yolo(root, pictures, name="coco_tiny"):
    """Names below both folders, and the labels' text: ``{"train2017/1": "0 .1 .2 ..."}``."""
    folder = root / name
    for key, text in pictures.items():
        save(folder / "images" / f"{key}.jpg", np.full((20, 40, 3), 90, np.uint8))
        (folder / "labels" / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / "labels" / f"{key}.txt").write_text(text)
    return folder


def color(truth):
    """A picture in which each class has a color of its own, with a little noise."""
    noise = np.random.default_rng(0).integers(0, 20, (*truth.shape, 3))
    return (noise + np.stack([truth * 11, 200 - truth * 7, truth * 3], 2) % 220).astype(np.uint8)


def make_voc07(root, parts):
    """Images by part and name: width, height, and objects as name, box and difficult or not.

    Boxes are (left, top, right, bottom) as VOC writes them: from 1, the last pixel included.
    """
    folder = root / "VOCdevkit" / "VOC2007"
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    for part in ("train", "val", "test"):
        content = parts.get(part, {})
        names = "".join(f"{name}\n" for name in content)
        (folder / "ImageSets" / "Main" / f"{part}.txt").write_text(names)
        for name, (width, height, objects) in content.items():
            save(folder / "JPEGImages" / f"{name}.jpg", np.full((height, width, 3), 90, np.uint8))
            text = f"<size><width>{width}</width><height>{height}</height></size>"
            for kind, box, difficult in objects:
                sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
                corners = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
                text += (
                    f"<object><name>{kind}</name><difficult>{int(difficult)}</difficult>"
                    f"<bndbox>{corners}</bndbox><part><name>head</name>"
                    "<bndbox><xmin>1</xmin></bndbox></part></object>"
                )
            (folder / "Annotations" / f"{name}.xml").write_text(f"<annotation>{text}</annotation>")
    return folder
