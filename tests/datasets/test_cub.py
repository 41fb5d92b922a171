"""Caltech-UCSD Birds: both editions' layouts, classes by any name, and what may be missing."""

import tarfile

import numpy as np
import pytest
from click.testing import CliRunner
from local_server import serve
from scipy.io import savemat
from tiny_photos import SHAPE, SPECIES, draw, make_cub, make_cub_2010

from xaibench.cli import cli
from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.reading.archives import Archive
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.datasets import cub as module
from xaibench.datasets.cub import cub, fetch_cub


def box_mask(box):
    mask = np.zeros(SHAPE, np.int8)
    mask[box.top : box.bottom, box.left : box.right] = 1
    return mask


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    root = tmp_path_factory.mktemp("birds")
    make_cub(root / "deep")
    make_cub_2010(root)
    return root


@pytest.mark.parametrize("version", [2011, 2010])
@pytest.mark.parametrize("masks", ["segmentations", "boxes"])
def test_masks_are_what_three_of_five_marked_and_boxes_the_same_here(birds, version, masks):
    dataset = cub(birds, version=version, masks=masks)
    assert dataset.classes == SPECIES
    assert len(dataset.samples) == 12
    for sample in dataset.samples:
        number = int(sample.id[-6:-2])
        scene = draw(sample.label, number)
        image, mask = dataset.read(sample)[:2]
        np.testing.assert_array_equal(mask, box_mask(scene.box))
        assert np.abs(image.astype(int) - scene.image).mean() < 4
        assert sample.part == ("test" if number % 2 else "train")
        assert sample.id.startswith(SPECIES[sample.label] + "/")
        assert bool(sample.boxes) == (masks == "boxes") != bool(sample.masks)


def test_order_is_that_of_the_tables(birds):
    first = cub(birds).samples[1]
    assert first.id == "001.Black_footed_Albatross/Bird_0001_0"
    assert (
        first.path == birds / "deep/CUB_200_2011/images/001.Black_footed_Albatross/Bird_0001_0.jpg"
    )


@pytest.mark.parametrize("name", ["016.Painted_Bunting", "Painted_Bunting", "016", "16"])
def test_classes_by_name_or_number_in_the_order_given(birds, name):
    spec = f"cub[classes={name}+Black_footed_Albatross,per_class=1]"
    dataset = open_dataset(bind("dataset", spec), birds)
    assert dataset.classes == ("016.Painted_Bunting", "001.Black_footed_Albatross")
    assert [(s.label, s.part) for s in dataset.samples] == [
        (1, "train"), (1, "test"), (0, "train"), (0, "test"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "cub[classes=Painted_Buntin+1]",
            "no class 'Painted_Buntin' .did you mean 'Painted_Bunting'",
        ),
        ("cub[classes=1+001]", "each once"),
        ("cub[per_class=-2]", "per_class=-2"),
    ],
)
def test_wrong_options(birds, spec, message):
    with pytest.raises(XaibenchError, match=message):
        open_dataset(bind("dataset", spec), birds)


@pytest.mark.parametrize("version", [2011, 2010])
def test_absent_data_says_where_and_what_to_do(tmp_path, version):
    (tmp_path / "images").mkdir()
    with pytest.raises(DataNotFoundError) as error:
        cub(tmp_path, version=version)
    expected = {
        2011: ("bounding_boxes.txt", "fetch cub"),
        2010: ("annotations-mat", "fetch 'cub[version=2010]'"),
    }
    for part in (str(tmp_path), *expected[version]):
        assert part in str(error.value)


SEGMENTATION = "segmentations/002.Laysan_Albatross/Bird_0002_1.png"
IMAGE = "images/002.Laysan_Albatross/Bird_0002_1.jpg"


@pytest.mark.parametrize("file", [IMAGE, SEGMENTATION])
def test_missing_file_is_named_where_it_is_needed(tmp_path, file):
    (make_cub(tmp_path) / file).unlink()
    with pytest.raises(
        XaibenchError, match=rf"no file .*{file}; remove .* and run `xaibench fetch cub`"
    ):
        cub(tmp_path)
    assert len(cub(tmp_path, classes=("001", "016")).samples) == 8
    if file == SEGMENTATION:
        assert len(cub(tmp_path, masks="boxes").samples) == 12


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ("bounding_boxes", "103 1.0 2.0 3.0", r"bounding_boxes\.txt, line 6: 3 values where 4"),
        ("bounding_boxes", "103 1.0 x 3.0 4.0", r"bounding_boxes\.txt: the box of 103 .*'x'"),
        ("train_test_split", "999 1", r"train_test_split\.txt: it says nothing of 103"),
        ("image_class_labels", "103 77", r"classes\.txt: it says nothing of 77"),
    ],
)
def test_damaged_tables_are_named(tmp_path, table, line, message):
    path = make_cub(tmp_path) / f"{table}.txt"
    lines = path.read_text("utf-8").splitlines()
    lines[5] = line
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(XaibenchError, match=message):
        cub(tmp_path)


def test_damaged_annotations_of_2010_are_named(tmp_path):
    folder = make_cub_2010(tmp_path) / "annotations-mat" / SPECIES[0]
    savemat(folder / "Bird_0000_0.mat", {"seg": np.ones((44, 30)), "bbox": {"left": 1.0}})
    (folder / "Bird_0001_0.mat").write_bytes(b"no matrix at all" * 20)
    dataset = cub(tmp_path, version=2010)
    with pytest.raises(XaibenchError, match=r"Bird_0000_0\.mat: this mask is 30x44.* is 44x30"):
        dataset.read(dataset.samples[0])
    with pytest.raises(XaibenchError, match=r"Bird_0001_0\.mat: not a readable MATLAB file"):
        dataset.read(next(s for s in dataset.samples if s.id.endswith("0001_0")))
    with pytest.raises(XaibenchError, match=r"Bird_0000_0\.mat: its box is none"):
        cub(tmp_path, version=2010, masks="boxes")


def test_segmentations_unpacked_beside_the_images_are_found(tmp_path):
    folder = make_cub(tmp_path)
    (folder / "segmentations").rename(tmp_path / "segmentations")
    assert cub(tmp_path).samples[0].masks[0].path.is_relative_to(tmp_path / "segmentations")


def test_fetch_goes_on_with_what_is_missing(tmp_path, monkeypatch):
    # Archives lie where they would be downloaded to; nobody answers at the address.
    for name in ("_IMAGES", "_SEGMENTATIONS"):
        file = getattr(module, name).url.rpartition("/")[2]
        monkeypatch.setattr(module, name, Archive(f"http://127.0.0.1:9/{file}"))
    source, root = make_cub(tmp_path / "source"), tmp_path / "root"
    (source / "segmentations").rename(tmp_path / "segmentations")
    root.mkdir()
    with tarfile.open(root / "CUB_200_2011.tgz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("attributes.txt"))
        archive.add(source, source.name)
    with pytest.raises(XaibenchError, match=r"failed.*CUB_200_2011/segmentations\.tgz by hand"):
        fetch_cub(root)
    assert len(cub(root, masks="boxes").samples) == 12
    with pytest.raises(XaibenchError, match=r"no folder segmentations .* fetch cub`, or .*boxes"):
        cub(root)
    with tarfile.open(root / "CUB_200_2011" / "segmentations.tgz", "w:gz") as archive:
        archive.add(tmp_path / "segmentations", "segmentations")
    assert fetch_cub(root) == root / "CUB_200_2011"
    assert len(cub(root).samples) == 12
    (root / "CUB_200_2011.tgz").unlink()
    assert fetch_cub(root) == root / "CUB_200_2011"
    assert not (root / "attributes.txt").exists()
    (root / "CUB_200_2011" / SEGMENTATION).unlink()
    with pytest.raises(XaibenchError, match=f"no file .*{SEGMENTATION}"):
        fetch_cub(root)


def test_fetch_puts_the_three_archives_of_2010_side_by_side(tmp_path, monkeypatch):
    source, root, server = (
        make_cub_2010(tmp_path / "source"),
        tmp_path / "root",
        tmp_path / "server",
    )
    server.mkdir()
    command = ["fetch", "cub[version=2010]", "--data-root", str(root)]
    with serve(server) as address:
        parts = {
            name: (Archive(f"{address}/{archive.url.rpartition('/')[2]}"), ending)
            for name, (archive, ending) in module._PARTS_2010.items()
        }
        monkeypatch.setattr(module, "_PARTS_2010", parts)
        for name in ("images", "annotations-mat", "lists"):
            failed = CliRunner().invoke(cli, command)
            assert isinstance(failed.exception, XaibenchError)
            assert "by hand" in str(failed.exception)
            with tarfile.open(server / parts[name][0].url.rpartition("/")[2], "w:gz") as archive:
                archive.add(source / name, name)
        result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    assert "cub[version=2010] is complete in" in result.output
    assert len(cub(root, version=2010).samples) == 12
