"""Layouts that people have, as names alone: classes, parts, masks, and what is refused."""

import pytest

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.folders.arrangement import arrange
from xaibench.core.reading.folders.guards import check_arrangement, check_keys
from xaibench.core.reading.folders.listing import Listing
from xaibench.core.reading.folders.pairing import pair


def listing(text, names=("3", "4", "5")):
    """Return a listing of three files in each folder; ``{a,b}`` stands for one and the other."""
    files = [
        f"{folder}/{name}.png" for each in text.split() for folder in expand(each) for name in names
    ]
    folders = {f.rpartition("/")[0] for f in files}
    folders |= {"/".join(f.split("/")[:n]) for f in folders for n in range(1, f.count("/") + 1)}
    return Listing(tuple(files), tuple(sorted(folders)))


def expand(text):
    if "{" not in text:
        return [text]
    head, rest = text.split("{", 1)
    inner, tail = rest.split("}", 1)
    return [whole for each in inner.split(",") for whole in expand(head + each + tail)]


def looks(files):
    """Replace the pixels: in these tests masks lie below folders whose names say so."""
    words = ("mask", "gt", "label", "annot", "truth", "seg")
    return any(word in file.lower() for file in files for word in words)


def photographs(_files):
    return False


def laid_out(text, *, masks=looks, **options):
    return arrange(listing(text), masks, **options)


@pytest.mark.parametrize(
    ("text", "parts", "annotated"),
    [
        ("{cat,dog}", {""}, []),
        ("{train,val,test}/{cat,dog}", {"train", "validation", "test"}, []),
        ("{Training,valid,TESTING}/{cat,dog}", {"train", "validation", "test"}, []),
        ("{train2017,test_set}/{cat,dog}", {"train", "test"}, []),
        ("{cat,dog}/{train,test}", {"train", "test"}, []),
        ("{cat,dog}/{images,masks}", {""}, ["cat/masks", "dog/masks"]),
        ("{cat,dog}/{img,gt}", {""}, ["cat/gt", "dog/gt"]),
        ("{cat,dog}/{JPEGImages,SegmentationClass}", {""}, ["cat/Seg", "dog/Seg"]),
        ("{cat,dog}/{images,annotations}", {""}, ["cat/annotations", "dog/annotations"]),
        ("{cat,dog}/{images,labels}", {""}, ["cat/labels", "dog/labels"]),
        ("{cat,dog} {cat,dog}/Masks", {""}, ["cat/Masks", "dog/Masks"]),
        ("{cat,dog} masks/{cat,dog}", {""}, ["masks"]),
        ("{cat,dog} Ground_Truth/{cat,dog}", {""}, ["Ground_Truth"]),
        ("{images,masks}/{cat,dog}", {""}, ["masks"]),
        ("images/{cat,dog}", {""}, []),
        ("{train,test}/{images,masks}/{cat,dog}", {"train", "test"}, ["train/m", "test/m"]),
        ("{images,masks}/{train,test}/{cat,dog}", {"train", "test"}, ["masks"]),
        ("{train,test}/{cat,dog}/{images,masks}", {"train", "test"}, ["train/c"] * 2 + ["t"] * 2),
        ("{cat,dog}/x/{images,masks}", {""}, ["cat/x/masks", "dog/x/masks"]),
        ("{train,test,masks}/{cat,dog}", {"train", "test"}, ["masks"]),
        ("{train,test}/{cat,dog} masks/{cat,dog}", {"train", "test"}, ["masks"]),
        ("{train,test}{,_masks}/{cat,dog}", {"train", "test"}, ["train_masks", "test_masks"]),
        ("{cat,dog} {cat,dog}-gt", {""}, ["cat-gt", "dog-gt"]),
    ],
)
def test_layouts_are_recognized(text, parts, annotated):
    found = laid_out(text)
    assert found.classes == ("cat", "dog")
    assert {home.part for home in found.homes.values()} == parts
    assert {file for file in found.homes if looks([file])} == set()
    assert len(found.annotations) == len(annotated)
    for name in annotated:
        assert any(each.folder.startswith(name) for each in found.annotations)
    assert all(f"/{home.label}/" in f"/{file}" for file, home in found.homes.items())


@pytest.mark.parametrize(
    "text",
    ["{with_mask,without_mask}", "{mask,hat,shoe}", "{boxes,bottles}", "{train,car,bus}",
     "{label,print}", "{segments,rest}"],
)  # fmt: skip
def test_a_class_may_be_called_like_masks_or_parts(text):
    found = laid_out(text, masks=photographs)
    assert len(found.classes) == text.count(",") + 1
    assert not found.annotations
    check_arrangement("here", found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{images,masks}", "no subfolders that could be classes"),
        ("{train,test}/{images,labels}", "no subfolders that could be classes"),
        ("{train,test,extra}/{cat,dog}", "beside them extra, which is none"),
        ("{2019,2020}/{cat,dog}", r"cat and dog lie in each of 2019, 2020.*classes=2019\+2020"),
        ("{fold1,fold2,fold3}/{cat,dog}", "cat and dog lie in each of fold1, fold2, fold3"),
        ("{images,overlays}", "images would be a class beside overlays"),
        ("{train,test}_{cat,dog}", r"test_cat and train_cat would be two classes, and seem to be"),
        ("train/{cat,dog} test/{cat,dog,unknown}", "class unknown has no training images"),
    ],
)
def test_what_could_be_read_wrongly_is_refused(text, message):
    with pytest.raises(XaibenchError, match=message):
        check_arrangement("here", laid_out(text))


def test_masks_that_look_like_images_are_known_by_the_names_of_the_images():
    found = laid_out("{cat,dog}/{pose,masks}", masks=photographs)
    assert [each.folder for each in found.annotations] == ["cat/masks", "dog/masks"]
    files = tuple(f"{folder}.png" for folder in ("cat/1", "cat/2", "dog/3", "masks/1", "masks/3"))
    found = arrange(Listing(files, ("cat", "dog", "masks")), photographs)
    assert found.classes == ("cat", "dog")
    assert [each.folder for each in found.annotations] == ["masks"]


def test_classes_that_are_named_are_taken_as_they_are():
    found = laid_out("{train,test}/{cat,dog}", literal=("train", "test"))
    assert found.classes == ("test", "train")
    assert found.homes["train/dog/3.png"].label == "train"


def keys(**names):
    return {name: [f"{name}/{stem}.png" for stem in stems.split()] for name, stems in names.items()}


@pytest.mark.parametrize(
    ("names", "alike", "message"),
    [
        (keys(a="1 2 3", b="1 2 3"), False, None),
        (keys(a="x1 x2 x9", b="x2 x1 x9"), False, None),
        (keys(a="1 2 3", outlines="1 2 3"), True, "masks do; name the folder of masks"),
        (keys(a="anna bert carl", b="anna bert carl"), False, r"classes=a\+b"),
        (keys(a="p071 p919 p005", b="p071 p919 p005"), False, "3 images of a and b"),
        (keys(a="1 2 3", b="4 5 6"), True, None),
        (
            keys(a="1 1_x 2 2_x 3 3_x", b="1"),
            False,
            "the class a .* ends in '_x'; call masks _mask",
        ),
        (keys(a="1 1_2 2 2_2 3 3_2", b="9"), False, None),
    ],
)
def test_names_that_repeat(names, alike, message):
    def look(files):
        return alike and any("outlines" in file for file in files)

    if message is None:
        check_keys("here", names, look)
    else:
        with pytest.raises(XaibenchError, match=message):
            check_keys("here", names, look)


@pytest.mark.parametrize(
    ("images", "files", "of", "plain"),
    [
        (["cat/1", "dog/1"], ["cat/1.png", "dog/1_mask.gif"], "", set()),
        (["cat/images/1"], ["1-GT.png", "1_seg(2).png"], "cat", {"cat/images"}),
        (["train/cat/1", "test/cat/2"], ["cat/1.png", "cat/2.png"], "", {"train", "test"}),
        (["images/train/cat/1"], ["train/cat/1.png"], "", {"images", "images/train"}),
        (["train/images/cat/1"], ["cat/1.png"], "train", {"train", "train/images"}),
        (["cat/1", "dog/2"], ["1.png", "mask_2.png"], "", set()),
    ],
)
def test_masks_find_their_images(images, files, of, plain):
    found = pair(images, files, of, plain, "here")
    assert sorted(found.files) == sorted(images)
    assert not found.orphans


def test_masks_that_fit_no_image_or_several():
    found = pair(["cat/1", "cat/2"], ["cat/1.png", "cat/3.png"], "", set(), "here")
    assert found.orphans == ["cat/3.png"]
    with pytest.raises(XaibenchError, match=r"here: 1\.png could belong to 'cat/1' or to 'dog/1'"):
        pair(["cat/1", "dog/1"], ["1.png"], "", set(), "here")
    with pytest.raises(XaibenchError, match=r"2 of 3 files there belong to no image.*b\.png"):
        pair(["cat/1"], ["cat/1.png", "b.png", "c.png"], "", set(), "here")
    with pytest.raises(XaibenchError, match="no file there is named like an image"):
        pair(["cat/1"], ["other.png"], "", set(), "here")
