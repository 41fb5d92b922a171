"""BUSI: its layout, what may be missing from it, and the real one."""

import os
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xaibench.core.data import read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.archives import Archive
from xaibench.core.registry import bind
from xaibench.datasets import busi as module
from xaibench.datasets.busi import busi, fetch_busi

FOLDER = "Dataset_BUSI_with_GT"
ALL = ("benign", "malignant", "normal")
# Images with more than one mask: 454 and 211 masks for 437 and 210 images.
EXTRA = {
    "benign": [(4, 1), *((n, 1) for n in range(100, 114)), (25, 1), (25, 2)],
    "malignant": [(53, 1)],
    "normal": [],
}
COUNTS = {"benign": 437, "malignant": 210, "normal": 133}
real = pytest.mark.skipif(
    "XAIBENCH_DATA" not in os.environ, reason="real BUSI: XAIBENCH_DATA not set"
)


def build(folder, classes=ALL):
    """Make all files of the official layout, empty: listing reads none of them."""
    for name in classes:
        (folder / name).mkdir(parents=True)
        stems = [
            f"{name} ({n}){mask}" for n in range(1, COUNTS[name] + 1) for mask in ("", "_mask")
        ]
        stems += [f"{name} ({n})_mask_{layer}" for n, layer in EXTRA[name]]
        for stem in stems:
            (folder / name / f"{stem}.png").touch()
    return folder


@pytest.fixture
def folder(tmp_path):
    return build(tmp_path / FOLDER)


def test_samples_in_natural_order_with_labels_and_masks(tmp_path, folder):
    dataset = busi(tmp_path)
    assert dataset.classes == ("benign", "malignant")
    ids = [sample.id for sample in dataset.samples]
    assert ids == [f"{c}/{c} ({n})" for c in dataset.classes for n in range(1, COUNTS[c] + 1)]
    assert [sample.label for sample in dataset.samples] == [0] * 437 + [1] * 210
    assert all(sample.path == folder / f"{sample.id}.png" for sample in dataset.samples)
    assert [layer.path.name for layer in dataset.samples[24].masks] == [
        "benign (25)_mask.png",
        "benign (25)_mask_1.png",
        "benign (25)_mask_2.png",
    ]
    assert [layer.grade for layer in dataset.samples[24].masks] == [1, 1, 1]


def test_order_of_classes_and_number_per_class(tmp_path, folder):
    dataset = busi(tmp_path, classes=("normal", "benign"), per_class=150)
    assert dataset.classes == ("normal", "benign")
    assert [sample.label for sample in dataset.samples] == [0] * 133 + [1] * 150
    assert dataset.samples[-1].id == "benign/benign (150)"


@pytest.mark.parametrize("above", ["", "a", "a/b/c"])
def test_it_is_found_where_it_lies(tmp_path, above):
    folder = build(tmp_path / above / "renamed")
    for root in (tmp_path, folder):
        if root == tmp_path and above == "a/b/c":
            with pytest.raises(XaibenchError, match="up to 3 folders below"):
                busi(root)
        else:
            assert busi(root).samples[0].path == folder / "benign" / "benign (1).png"


def test_link_to_the_folder_is_followed(tmp_path):
    build(tmp_path / "elsewhere" / FOLDER)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / FOLDER).symlink_to(tmp_path / "elsewhere" / FOLDER)
    assert len(busi(tmp_path / "root").samples) == 647


def test_complete_copy_is_preferred(tmp_path):
    (build(tmp_path / "a") / "benign" / "benign (7).png").unlink()
    build(tmp_path / "b" / "c")
    assert (tmp_path / "b" / "c") in busi(tmp_path).samples[0].path.parents


def test_near_duplicates_share_a_group(tmp_path, folder):
    group = {sample.id: sample.group for sample in busi(tmp_path).samples}
    assert group["benign/benign (433)"] == group["malignant/malignant (145)"] != ""
    assert group["benign/benign (433)"] != group["benign/benign (437)"]
    assert "" in group.values()


@pytest.mark.parametrize("root", ["", "missing"])
def test_absent_data_says_where_and_what_to_do(tmp_path, root):
    for name in ("cats", "benign"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").touch()
    with pytest.raises(XaibenchError) as error:
        busi(tmp_path / root)
    for part in (
        FOLDER,
        str(tmp_path / root),
        "xaibench fetch busi",
        "--data-root",
        "XAIBENCH_DATA",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("file", "lack"),
    [
        ("benign/benign (17).png", r"benign: 436 of 437 images, first missing: benign \(17\)\.png"),
        (
            "malignant/malignant (9)_mask.png",
            r"malignant: 210 of 211 masks, first missing: malignant \(9\)_mask\.png",
        ),
        ("benign/benign (25)_mask_2.png", r"benign: 453 of 454 masks\)"),
    ],
)
def test_missing_file_is_named_and_partial_goes_on(tmp_path, folder, file, lack):
    (folder / file).unlink()
    with pytest.raises(XaibenchError, match=f"{FOLDER}.*{lack}.*fetch busi.*partial=true"):
        busi(tmp_path)
    assert len(busi(tmp_path, partial=True).samples) == 647 - (file == "benign/benign (17).png")


def test_only_the_classes_asked_for_must_be_there(tmp_path):
    build(tmp_path / FOLDER, ("benign", "malignant"))
    assert len(busi(tmp_path).samples) == 647
    with pytest.raises(XaibenchError, match=r"normal: 0 of 133 images"):
        busi(tmp_path, classes=ALL)
    with pytest.raises(XaibenchError, match=r"normal: no images like 'normal \(1\)\.png'"):
        busi(tmp_path, classes=ALL, partial=True)


def test_foreign_image_is_named(tmp_path, folder):
    (folder / "normal" / "normal (134).png").touch()
    busi(tmp_path)
    with pytest.raises(XaibenchError, match=r"normal \(134\)\.png is none of the 133 images"):
        busi(tmp_path, classes=ALL)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("busi[classes=bening+malignant]", "no class 'bening'.*did you mean 'benign'"),
        ("busi[classes=benign]", "at least two classes"),
        ("busi[classes=benign+benign]", "each once"),
        ("busi[per_class=-1]", "per_class=-1.*choose 0"),
    ],
)
def test_wrong_options(tmp_path, spec, message):
    bound = bind("dataset", spec)
    with pytest.raises(XaibenchError, match=message):
        bound.plugin.function(tmp_path, **bound.options)


@pytest.fixture
def address(tmp_path, monkeypatch):
    """The authors' server, played by a local one that offers the archive in ``offer``."""
    offer = tmp_path / "offer"
    offer.mkdir()
    handler = partial(Quiet, directory=offer)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}/Dataset_BUSI.zip"
        monkeypatch.setattr(module, "_ARCHIVE", Archive(address))
        yield offer / "Dataset_BUSI.zip"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass


def pack(folder, archive):
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.rglob("*.png"):
            file.writestr(f"{FOLDER}/{path.relative_to(folder).as_posix()}", b"")


def test_fetch_mends_an_incomplete_folder_and_then_returns_at_once(tmp_path, address):
    pack(build(tmp_path / "source"), address)
    root = tmp_path / "root"
    partly = build(root / FOLDER)
    (partly / "benign" / "benign (17).png").unlink()
    assert fetch_busi(root) == root / FOLDER
    assert len(busi(root, classes=ALL).samples) == 780
    assert (root / f"{FOLDER}.old").is_dir()
    address.unlink()
    assert fetch_busi(root) == root / FOLDER


def test_fetch_of_an_incomplete_archive(tmp_path, address):
    source = build(tmp_path / "source")
    (source / "normal" / "normal (5).png").unlink()
    pack(source, address)
    with pytest.raises(XaibenchError, match=r"not the BUSI of 780 images.*normal \(5\)\.png"):
        fetch_busi(tmp_path / "root")


def test_fetch_without_the_server_says_what_to_do_by_hand(tmp_path, address):
    with pytest.raises(XaibenchError) as error:
        fetch_busi(tmp_path / "root")
    folder = tmp_path / "root" / FOLDER
    for part in ("Dataset_BUSI.zip", "404", str(folder / "benign" / "benign (1).png")):
        assert part in str(error.value)


@real
def test_real_busi_is_complete():
    dataset = busi(Path(os.environ["XAIBENCH_DATA"]), classes=ALL)
    assert len(dataset.samples) == 780
    assert sum(len(sample.masks) for sample in dataset.samples) == 798
    assert max(len(sample.masks) for sample in dataset.samples) == 3


@pytest.mark.slow
@real
def test_real_masks_fit_and_are_neither_full_nor_transposed():
    dataset = busi(Path(os.environ["XAIBENCH_DATA"]), classes=ALL)
    several = [sample for sample in dataset.samples if len(sample.masks) > 1]
    chosen = [*dataset.samples[::40], *several]
    # An opaque alpha channel would mark such a mask's whole image.
    chosen += [each for each in dataset.samples if any(_has_alpha(m.path) for m in each.masks)]
    for sample in chosen:
        image, mask = read_files(sample)[:2]
        assert image.shape == (*mask.shape, 3)
        share = float(np.mean(mask == 1))
        assert share == 0 if sample.id.startswith("normal") else 0 < share < 0.8


def _has_alpha(path):
    with Image.open(path) as image:
        return image.mode == "RGBA"
