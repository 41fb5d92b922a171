"""Folders in other layouts, read to the last pixel: which image has which mask, class and part."""

import os

import numpy as np
import pytest
from PIL import Image

from xaibench.audit.audit import audit
from xaibench.core.data import read_files
from xaibench.core.errors import XaibenchError
from xaibench.datasets.folder import folder

CLASSES, STEMS = ("healthy", "sick"), ("3", "4", "12")


def number_of(label, stem, part=""):
    """Return a number of its own for each image, which its mask repeats as a row of pixels."""
    return CLASSES.index(label) * 40 + STEMS.index(stem) * 10 + len(part) + 1


def save(path, number, *, mask):
    pixels = np.zeros((9, 120), np.uint8)
    if mask:
        pixels[2, :number] = 255
    else:
        pixels[:] = np.random.default_rng(number).integers(0, 255, pixels.shape)
        pixels[0, 0] = number
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def make(root, image, mask, parts=("",)):
    """Draw images and masks at places such as ``{part}/{label}/{stem}_mask.png``."""
    for part in parts:
        for label in CLASSES:
            for stem in STEMS:
                number, words = number_of(label, stem, part), locals()
                save(root / image.format(**words), number, mask=False)
                save(root / mask.format(**words), number, mask=True)


@pytest.mark.parametrize(
    ("image", "mask", "parts"),
    [
        ("{label}/{stem}.png", "{label}/{stem}-mask.gif", ("",)),
        ("{label}/images/{stem}.png", "{label}/masks/{stem}.png", ("",)),
        ("{label}/img/{stem}.png", "{label}/gt/{stem}_gt.tif", ("",)),
        ("{label}/{stem}.png", "{label}/Masks/{stem}.png", ("",)),
        ("{part}/{label}/{stem}.png", "{part}/{label}/{stem}_Segmentation.png", ("train", "valid")),
        ("{part}/images/{label}/{stem}.png", "{part}/masks/{label}/{stem}.png", ("Train", "test")),
        ("images/{part}/{label}/{stem}.png", "labels/{part}/{label}/{stem}.png", ("train", "test")),
        ("{label}/{part}/a/{stem}.png", "masks/{label}/{part}/a/{stem}.png", ("train", "test")),
        ("{label}/{label}{stem}/image.png", "{label}/{label}{stem}/mask.png", ("",)),
        ("{label}/{label}{stem}/{stem}.png", "{label}/{label}{stem}/seg.png", ("",)),
        ("{label}/img_{stem}.png", "{label}/mask_{stem}.png", ("",)),
        ("{label}/images/image_{stem}.png", "{label}/masks/mask_{stem}.png", ("",)),
        ("{label}/{stem}.png", "{label} GT/{stem}.png", ("",)),
        ("images_{part}/{label}/{stem}.png", "masks_{part}/{label}/{stem}.png", ("train", "test")),
    ],
)
def test_each_image_gets_its_own_mask(tmp_path, image, mask, parts):
    make(tmp_path, image, mask, parts)
    dataset = folder(tmp_path, path=str(tmp_path))
    assert dataset.classes == CLASSES
    assert len(dataset.samples) == 6 * len(parts)
    for sample in dataset.samples:
        picture = read_files(sample)
        assert dataset.classes[sample.label] in sample.id
        assert picture.mask.sum() == picture.mask[2].sum() == picture.image[0, 0, 0]
        assert sample.part == ("" if parts == ("",) else "train" if "rain/" in sample.id else
                               "validation" if "valid/" in sample.id else "test")  # fmt: skip


def test_what_is_no_data_is_passed_over(tmp_path):
    place = tmp_path / "data"
    make(place, "{label}/{stem}.png", "{label}/{stem}_mask.png")
    for junk in (
        "@eaDir/3.png",
        "__MACOSX/sick/3.png",
        "sick/@eaDir/3.png/THUMB.png",
        "sick/.ipynb_checkpoints/3.png",
        "results/a/grid.png",
        "sick/out/3/gradcam.png",
    ):
        save(place / junk, 7, mask=False)
    for ours in ("results/a/run.json", "sick/out/explained.csv"):
        (place / ours).write_text("{}")
    (place / "results/audit-x").mkdir()
    (place / "results/audit-x/audit.csv").write_text("")
    dataset = folder(tmp_path, path=str(place))
    assert [s.id for s in dataset.samples] == [f"{c}/{s}" for c in CLASSES for s in STEMS]
    assert dataset.notes == ()


def test_results_right_among_the_classes_are_refused(tmp_path):
    make(tmp_path, "{label}/{stem}.png", "{label}/{stem}_mask.png")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(XaibenchError, match=r"results lie among the images \(run\.json\); move"):
        folder(tmp_path, path=str(tmp_path))


def test_linked_folders_are_read_once(tmp_path):
    place = tmp_path / "data"
    make(place, "{label}/{stem}.png", "{label}/{stem}_mask.png")
    save(tmp_path / "elsewhere/77.png", 5, mask=False)
    (place / "sick/more").symlink_to(tmp_path / "elsewhere")
    (place / "sick/loop").symlink_to(place)
    (place / "again").symlink_to(place / "healthy")
    found = folder(tmp_path, path=str(place))
    assert [s.id for s in found.samples if "/3" not in s.id] == [
        "healthy/4", "healthy/12", "sick/4", "sick/12", "sick/more/77",
    ]  # fmt: skip


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    make(tmp_path, "{label}/{stem}.png", "{label}/{stem}_mask.png")
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("sick"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)  # the tests may run as root, who may read all
    with pytest.raises(XaibenchError, match=r"sick: this folder cannot be read \(Permission"):
        folder(tmp_path, path=str(tmp_path))


def test_what_belongs_nowhere_is_counted_and_told_by_the_audit(tmp_path):
    make(tmp_path, "{part}/{label}/{stem}.png", "{part}/{label}/{stem}_seg.png", ("train", "test"))
    save(tmp_path / "train/sick/99_seg.png", 4, mask=True)
    save(tmp_path / "train/loose.png", 4, mask=False)
    for name in ("scan.mha", "IM0001", "notes.txt", "LICENSE"):
        (tmp_path / "test/sick" / name).write_bytes(b"")
    dataset = folder(tmp_path, path=str(tmp_path))
    found = audit(dataset).findings
    assert [f.detail for f in found if not f.sample] == sorted(dataset.notes)
    orphan, loose, unread, parts = dataset.notes
    assert orphan.startswith("1 masks or boxes belong to no image, such as ")
    assert loose.startswith("1 images lie in no class folder, such as train/loose.png")
    assert ".mha (1), no ending (1); " in unread
    assert unread.endswith("give DICOM files the ending .dcm.")
    assert "(train 6, test 6), which --split official keeps" in parts


def test_classes_that_look_like_masks_or_copies_of_others_are_refused(tmp_path):
    make(tmp_path, "a/{label}{stem}.png", "outlines/{label}{stem}.png")
    with pytest.raises(XaibenchError, match="6 images of a and outlines have the same names"):
        folder(tmp_path, path=str(tmp_path))
    named = folder(tmp_path, path=str(tmp_path), classes=("a", "outlines"))
    assert len(named.samples) == 12


def test_masks_of_a_few_images_under_any_name_are_no_images(tmp_path):
    make(tmp_path, "{label}/a{stem}.png", "{label}/a{stem}_mask.png")
    for stem in STEMS[:2]:
        save(tmp_path / "sick" / f"a{stem}_x.png", 4, mask=True)
    with pytest.raises(XaibenchError, match=r"sick/a3_x\.png looks like a mask of sick/a3\.png"):
        folder(tmp_path, path=str(tmp_path))
    assert len(folder(tmp_path, path=str(tmp_path), classes=CLASSES).samples) == 8


def test_masks_and_copies_of_several_images_are_no_images(tmp_path):
    for place in (tmp_path / "scans", tmp_path / "copies"):
        for stem in STEMS:
            save(place / "healthy" / f"{stem}.png", 7, mask=False)
    for stem in STEMS:
        for name in ("t1", "t2", "seg"):
            save(tmp_path / "scans" / "sick" / stem / f"{name}.png", 7, mask=name == "seg")
        for name in ("image", "overlay"):
            save(tmp_path / "copies" / "sick" / f"{name}_{stem}.png", 7, mask=False)
    for place, said in (
        ("scans", r"sick/\d+/seg\.png looks like a mask of sick/\d+/t2\.png"),
        ("copies", r"overlay_3\.png seems to be another picture of sick/image_3\.png"),
    ):
        with pytest.raises(XaibenchError, match=said):
            folder(tmp_path, path=str(tmp_path / place))


def test_the_only_folder_is_named_down_to_where_it_divides(tmp_path):
    make(tmp_path, "data/release/{label}/{stem}.png", "data/release/{label}/{stem}_mask.png")
    with pytest.raises(XaibenchError, match=r"only one class \(data\).*name path=.*data/release\."):
        folder(tmp_path, path=str(tmp_path))


def test_masks_that_label_studio_exports_alone_are_refused_by_their_names(tmp_path):
    for label in CLASSES:
        for task in (1, 2):
            name = f"task-{task}-annotation-9-by-a@b.org-tag-Tumour-0.png"
            save(tmp_path / label / name, task, mask=True)
    with pytest.raises(XaibenchError, match=r"a mask of Label Studio's PNG export.*export .* JSON"):
        folder(tmp_path, path=str(tmp_path))


def test_masks_copies_and_backups_under_any_name_are_no_images(tmp_path):
    for label in CLASSES:
        for stem in STEMS:
            save(tmp_path / "within" / label / "plain" / f"{stem}.png", 7, mask=False)
            save(tmp_path / "within" / "sick" / "segmented" / f"{stem}.png", 7, mask=True)
    with pytest.raises(XaibenchError, match=r"what lies in sick/segmented looks like masks, and"):
        folder(tmp_path, path=str(tmp_path / "within"))
    for name, message in (
        ("healthy/small", "healthy/small repeats the names of the images above it"),
        ("backup/sick", "backup would be a class and holds a folder sick"),
        ("sick - Copy", "sick - Copy would be a class beside sick, whose copy it seems to be"),
    ):
        place = tmp_path / name.replace("/", "_")
        make(place, "{label}/{stem}.png", "{label}/{stem}_mask.png")
        for stem in STEMS:
            save(place / name / f"{stem}.png", 9, mask=False)
        with pytest.raises(XaibenchError, match=message):
            folder(place, path=str(place))
