"""Arrays, DICOM and NIfTI as images and masks."""

import gzip
import sys

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from xaibench.core.errors import XaibenchError
from xaibench.core.reading.headers import read_header
from xaibench.core.reading.images import read_image, read_mask
from xaibench.datasets.folder import folder

HEIGHT, WIDTH = 6, 11


def dicom(path, pixels, **tags):
    """Write a file of 12 bits in 16, as scanners do."""
    file = pydicom.Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    file.Rows, file.Columns = pixels.shape[-2:]
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 12, 11, 0
    file.PixelData = pixels.astype(np.uint16).tobytes()
    for name, value in tags.items():
        setattr(file, name, value)
    file.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def ramp():
    return np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 50


def test_a_dicom_without_a_window_is_stretched(tmp_path, ramp):
    wanted = np.rint(ramp / ramp.max() * 255)
    image = read_image(dicom(tmp_path / "a.dcm", ramp))
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(image[..., 1], wanted)
    inverse = dicom(tmp_path / "b.dcm", ramp, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(read_image(inverse)[..., 0], 255 - wanted)
    assert read_header(inverse)[:2] == (WIDTH, HEIGHT)


def test_the_window_counts_in_units_after_rescaling(tmp_path, ramp):
    file = dicom(tmp_path / "a.dcm", ramp, RescaleSlope=2, RescaleIntercept=-1000,
                 WindowCenter=600, WindowWidth=401)  # fmt: skip
    units = ramp * 2.0 - 1000
    wanted = ((units - 599.5) / 400 + 0.5).clip(0, 1) * 255
    assert np.abs(read_image(file)[..., 0] - wanted).max() <= 0.5
    assert {0, 255} <= set(np.unique(read_image(file)).tolist())


def test_what_of_dicom_is_refused(tmp_path, ramp, monkeypatch):
    several = dicom(tmp_path / "a.dcm", np.stack([ramp, ramp]), NumberOfFrames=2)
    with pytest.raises(XaibenchError, match=r"a\.dcm: it holds 2 frames"):
        read_image(several)
    (tmp_path / "b.dcm").write_bytes(b"none")
    with pytest.raises(XaibenchError, match=r"b\.dcm: not readable"):
        read_image(tmp_path / "b.dcm")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        XaibenchError, match=r"needs pydicom; install it with pip install 'xaibench"
    ):
        read_image(tmp_path / "b.dcm")


def test_the_middle_slice_of_a_volume_is_seen_from_the_feet(tmp_path, monkeypatch):
    volume = np.zeros((7, 9, 4), np.int16)
    volume[1, 2, 2], volume[5, 7, 2], volume[:, :, 1] = 40, 80, 99
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "a.nii.gz")
    image = read_image(tmp_path / "a.nii.gz")[..., 0]
    assert image.shape == (9, 7)
    assert image.max() == image[9 - 1 - 7, 7 - 1 - 5] == 255  # left side at the right, front above
    assert image[9 - 1 - 2, 7 - 1 - 1] == 128
    assert (image > 0).sum() == 2
    flipped = np.diag([-1.0, 1, 1, 1])
    nibabel.save(nibabel.Nifti1Image(volume[::-1], flipped), tmp_path / "b.nii")
    assert np.array_equal(read_image(tmp_path / "b.nii")[..., 0], image)
    assert np.array_equal(read_mask(tmp_path / "a.nii.gz", (40,)), image == 128)
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5, 2)), np.eye(4)), tmp_path / "c.nii")
    with pytest.raises(XaibenchError, match="where a volume has three axes"):
        read_image(tmp_path / "c.nii")
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(XaibenchError, match="needs nibabel"):
        read_image(tmp_path / "a.nii.gz")


def test_arrays_of_numpy(tmp_path):
    random = np.random.default_rng(0)
    gray = random.integers(0, 255, (HEIGHT, WIDTH), np.uint8)
    colors = random.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    for name, values in {"g": gray, "c": colors, "d": gray.astype(np.uint16) << 8}.items():
        np.save(tmp_path / f"{name}.npy", values)
    assert np.array_equal(read_image(tmp_path / "g.npy")[..., 2], gray)
    assert np.array_equal(read_image(tmp_path / "d.npy")[..., 2], gray)
    assert np.array_equal(read_image(tmp_path / "c.npy"), colors)
    for name, values in {"b": gray > 90, "i": (gray > 90).astype(np.int64)}.items():
        np.save(tmp_path / f"{name}.npy", values)
        assert np.array_equal(read_mask(tmp_path / f"{name}.npy"), gray > 90)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((3, 4, 5), np.uint8), r"an array of shape \(3, 4, 5\)"),
        (np.zeros((4, 5)), "floating point numbers"),
        (np.full((4, 5), -3), "numbers from -3 to -3"),
        (np.array([[{}]], object), "not readable"),
    ],
)
def test_arrays_that_are_no_image(tmp_path, values, said):
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    with pytest.raises(XaibenchError, match=rf"a\.npy: {said}"):
        read_image(tmp_path / "a.npy")


def test_what_would_fill_the_memory_is_refused_by_its_header(tmp_path):
    np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (1 << 18, 1 << 12))  # all a hole
    with pytest.raises(XaibenchError, match=r"a\.npy: refused, its size \(1073741824 pixels\)"):
        read_image(tmp_path / "a.npy")
    (tmp_path / "short.npy").write_bytes((tmp_path / "a.npy").open("rb").read(200))
    with pytest.raises(XaibenchError, match=r"short\.npy: not readable"):
        read_image(tmp_path / "short.npy")
    header = nibabel.Nifti1Header()
    header.set_data_shape((1024, 1024, 513))
    with gzip.open(tmp_path / "b.nii.gz", "wb") as file:
        file.write(header.binaryblock + bytes(4))
    with pytest.raises(XaibenchError, match=r"b\.nii\.gz: refused, its 537919488 numbers"):
        read_image(tmp_path / "b.nii.gz")
    huge = dicom(tmp_path / "c.dcm", np.zeros((2, 2)), Rows=65535, Columns=65535)
    with pytest.raises(XaibenchError, match=r"c\.dcm: refused, its size \(4294836225 pixels\)"):
        read_image(huge)


@pytest.mark.parametrize("ending", [".jfif", ".webp", ".bmp", ".tif", ".jp2", ".npy"])
def test_class_folders_of_every_ending(tmp_path, ending):
    image = np.random.default_rng(1).integers(0, 255, (24, 40), np.uint8)
    mask = np.zeros((24, 40), np.uint8)
    mask[3:9, 5:21] = 255
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for stem, pixels in {"1": image, "1_mask": mask}.items():
            path = tmp_path / name / f"{stem}{ending if stem == '1' else '.png'}"
            if ending == ".npy" and stem == "1":
                np.save(path, pixels)
            else:
                Image.fromarray(pixels).save(path, "JPEG" if path.suffix == ".jfif" else None)
    found = folder(tmp_path, path=str(tmp_path))
    assert [sample.id for sample in found.samples] == ["cat/1", "dog/1"]
    picture = found.read(found.samples[1])
    assert picture.image.shape == (24, 40, 3)
    assert np.array_equal(picture.mask, mask > 0)


def test_volumes_in_class_folders_have_masks(tmp_path):
    for name in ("a", "b"):
        for stem, values in {"1": 7, "1_seg": 1}.items():
            volume = np.zeros((12, 10, 3), np.int16)
            volume[2:5, 3:8] = values
            (tmp_path / name).mkdir(exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / name / f"{stem}.nii.gz")
    found = folder(tmp_path, path=str(tmp_path))
    picture = found.read(found.samples[0])
    assert [sample.id for sample in found.samples] == ["a/1", "b/1"]
    assert np.array_equal(picture.mask > 0, picture.image[..., 0] == 255)
    assert picture.mask.sum() == 15


@pytest.fixture
def volumes(tmp_path):
    """Two images whose grays tell the slice; a mask of 4 voxels in slice 1, and 1 in slice 4."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        image, mask = np.zeros((8, 6, 5), np.int16), np.zeros((8, 6, 5), np.int16)
        image[0, 0], image[1:3, 2] = 10, np.arange(5)
        mask[1:3, 2:4, 1], mask[5, 1, 4] = 1, 3
        for stem, values in {"1": image, "1_seg": mask}.items():
            nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / name / f"{stem}.nii")
    return tmp_path


def read_first(place, **options):
    found = folder(place, path=str(place), **options)
    picture = found.read(found.samples[0])
    return round(picture.image[3, 5, 0] / 25.5), int((picture.mask > 0).sum()), found.notes[-1]


def test_a_slice_is_chosen_by_number_or_by_its_mask(volumes):
    assert read_first(volumes, values=("1-3",))[:2] == (2, 0)
    assert read_first(volumes, slice="4", values=("1-3",))[:2] == (4, 1)
    slice_at, marked, note = read_first(volumes, slice="largest", values=("1-3",))
    assert (slice_at, marked) == (1, 4)
    assert note == (
        "of 2 volumes (NIfTI) the slice with the most of its mask along the body is read."
    )
    assert read_first(volumes, slice="largest", values=("3",))[:2] == (4, 1)


@pytest.mark.parametrize(
    ("rule", "said"),
    [("5", r"1\.nii has slices from 0 to 4; choose"), ("-1", "write middle, largest, or the")],
)
def test_a_slice_that_is_none_is_refused(volumes, rule, said):
    with pytest.raises(XaibenchError, match=said):
        folder(volumes, path=str(volumes), slice=rule)


def test_slices_are_refused_where_masks_have_others_or_nothing_has_any(volumes, tmp_path_factory):
    shallow = nibabel.Nifti1Image(np.zeros((8, 6, 4), np.int16), np.eye(4))
    nibabel.save(shallow, volumes / "b" / "1_seg.nii")
    with pytest.raises(XaibenchError, match=r"1_seg\.nii: this mask has 4 slices, but its image"):
        folder(volumes, path=str(volumes))
    flat = tmp_path_factory.mktemp("flat")
    for name in ("a", "b"):
        (flat / name).mkdir()
        Image.new("L", (9, 7)).save(flat / name / "1.png")
    with pytest.raises(XaibenchError, match=r"slice=2\]: there are no volumes"):
        folder(flat, path=str(flat), slice="2")
