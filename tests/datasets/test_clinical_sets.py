"""Published sets of clinical images and pets, each in a tiny sample of its layout."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_masks
from tiny_images import REGION, SHAPE, blank, region, save

from xaibench.core.data import IGNORED
from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.core.reading.archives import Archive
from xaibench.core.reading.chexlocalize_files import FINDINGS, IN_TABLES
from xaibench.core.reading.fetch import fetch_archive
from xaibench.datasets.brest import brest
from xaibench.datasets.bus_bra import bus_bra
from xaibench.datasets.bus_uclm import bus_uclm
from xaibench.datasets.chexlocalize import chexlocalize
from xaibench.datasets.isic2018 import isic2018
from xaibench.datasets.kvasir_seg import kvasir_seg
from xaibench.datasets.oxford_pets import oxford_pets


def marked(dataset, sample):
    return np.array_equal(dataset.read(sample).mask > 0, region())


def test_bus_bra_has_patients_and_folds(tmp_path):
    place = tmp_path / "data" / "BUSBRA"
    rows = [("bus_0001-l", 1, "benign", 1), ("bus_0001-r", 1, "benign", 1),
            ("bus_0002-l", 2, "malignant", 2)]  # fmt: skip
    for name, *_ in rows:
        save(place / "Images" / f"{name}.png", blank())
        save(place / "Masks" / f"{name.replace('bus', 'mask')}.png", region() * 255)
    table = "ID,Case,Histology,Pathology,BIRADS\n"
    (place / "bus_data.csv").write_text(
        table + "".join(f"{i},{c},x,{p},3\n" for i, c, p, _ in rows)
    )
    folds = "ID,Pathology,kFold\n" + "".join(f"{i},{p},{k}\n" for i, _, p, k in rows)
    (place / "5-fold-cv.csv").write_text(folds)
    found = bus_bra(tmp_path, test_fold=2)
    about = [(s.id, s.label, s.group, s.part) for s in found.samples]
    assert about == [
        ("bus_0001-l", 0, "patient 1", "train"),
        ("bus_0001-r", 0, "patient 1", "train"),
        ("bus_0002-l", 1, "patient 2", "test"),
    ]
    assert marked(found, found.samples[2])
    (place / "Masks" / "mask_0002-l.png").unlink()
    with pytest.raises(XaibenchError, match=r"mask_0002-l\.png: missing"):
        bus_bra(tmp_path)
    with pytest.raises(XaibenchError, match=r"test_fold=6\]: choose 1 to 5"):
        bus_bra(tmp_path, test_fold=6)


def test_an_archive_of_another_checksum_is_refused_and_kept(tmp_path):
    (tmp_path / "BUSBRA.zip").write_bytes(b"another")
    with pytest.raises(XaibenchError, match="its SHA-256 is another"):
        fetch_archive(Archive("https://localhost/none", sha256="0" * 64), tmp_path, "BUSBRA",
                      "bus_data.csv", name="BUSBRA.zip")  # fmt: skip
    assert (tmp_path / "BUSBRA.zip").is_file()


def test_bus_uclm_tells_findings_by_color(tmp_path):
    place = tmp_path / "BUS-UCLM"
    rows = {"ALWI_000": ("Malignant", 0), "ALWI_001": ("Benign", 1), "ANFO_000": ("Normal", None)}
    for name, (_, channel) in rows.items():
        colors = np.zeros((*SHAPE, 3), np.uint8)
        if channel is not None:
            colors[..., channel] = region() * 255
            colors[0, 0, 1 - channel] = 255
        save(place / "images" / f"{name}.png", blank())
        save(place / "masks" / f"{name}.png", colors)
    lines = "".join(f"{name}.png;2022;{label}\n" for name, (label, _) in rows.items())
    (place / "INFO.csv").write_text(f"Image;Date;Label\n{lines}")
    found = bus_uclm(tmp_path, classes=("benign", "malignant", "normal"))
    assert [(s.id, s.label, s.group) for s in found.samples] == [
        ("ALWI_000", 1, "ALWI"), ("ALWI_001", 0, "ALWI"), ("ANFO_000", 2, "ANFO")]  # fmt: skip
    assert marked(found, found.samples[0])
    assert marked(found, found.samples[1])
    assert not found.read(found.samples[2]).mask.any()
    assert len(bus_uclm(tmp_path).samples) == 2


def test_brest_takes_the_tumour_and_no_other_outline(tmp_path):
    place = tmp_path / "BrEaST-Lesions_USG-images_and_masks"
    for number in (1, 2, 3):
        save(place / f"case00{number}.png", blank())
    save(place / "case001_tumor.png", region() * 255)
    save(place / "case001_other1.png", (1 - region()) * 255)
    save(place / "case003_tumor.png", region() * 255)
    with pytest.raises(XaibenchError, match="no clinical table"):
        brest(tmp_path)
    rows = [("case001.png", "malignant"), ("case002.png", "normal"), ("case003.png", "benign")]
    text = "CaseID;Image_filename;Classification\n"
    text += "".join(f"{at};{name};{kind}\n" for at, (name, kind) in enumerate(rows, 1))
    (tmp_path / "BrEaST-Lesions-USG-clinical-data-Dec-15-2023.csv").write_text(text)
    found = brest(tmp_path)
    assert [(s.id, s.label) for s in found.samples] == [("case001", 1), ("case003", 0)]
    assert marked(found, found.samples[0])


def test_kvasir_seg_needs_normal_images(tmp_path):
    place = tmp_path / "Kvasir-SEG"
    for name in ("cju0", "cju1"):
        save(place / "images" / f"{name}.jpg", blank())
        save(place / "masks" / f"{name}.jpg", region() * 255)
    with pytest.raises(DataNotFoundError, match="get Kvasir from"):
        kvasir_seg(tmp_path)
    save(tmp_path / "kvasir-dataset-v2" / "normal-cecum" / "n1.jpg", blank())
    found = kvasir_seg(tmp_path)
    assert [(s.id, s.label, bool(s.masks)) for s in found.samples] == [
        ("polyp/cju0", 1, True), ("polyp/cju1", 1, True), ("normal-cecum/n1", 0, False)
    ]  # fmt: skip
    assert marked(found, found.samples[0])


def test_oxford_pets_leave_the_border_open(tmp_path):
    place = tmp_path / "oxford-iiit-pet"
    trimap = np.where(region(), 1, 2).astype(np.uint8)
    trimap[REGION[0].start - 1] = 3
    lists = {"trainval": [("Abyssinian_1", 1, 1), ("beagle_2", 5, 2)], "test": [("beagle_3", 5, 2)]}
    for table, rows in lists.items():
        for name, *_ in rows:
            save(place / "images" / f"{name}.jpg", blank())
            save(place / "annotations" / "trimaps" / f"{name}.png", trimap)
        text = "".join(f"{name} {kind} {species} 1\n" for name, kind, species in rows)
        (place / "annotations" / f"{table}.txt").write_text(text)
    found = oxford_pets(tmp_path)
    assert found.classes == ("cat", "dog")
    assert [(s.id, s.label, s.part) for s in found.samples] == [
        ("Abyssinian_1", 0, "train"),
        ("beagle_2", 1, "train"),
        ("beagle_3", 1, "test"),
    ]
    mask = found.read(found.samples[1]).mask
    assert np.array_equal(mask == 1, region())
    assert (mask[REGION[0].start - 1] == IGNORED).all()
    assert oxford_pets(tmp_path, by="breed").classes == ("Abyssinian", "beagle")


def test_isic2018_has_parts_lesions_and_masks_from_elsewhere(tmp_path):
    header = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n"
    rows = {"Training": [("ISIC_1", 1), ("ISIC_2", 0)], "Test": [("ISIC_9", 1)]}
    for part, names in rows.items():
        truth = tmp_path / f"ISIC2018_Task3_{part}_GroundTruth"
        truth.mkdir()
        lines = "".join(f"{n},{float(m)},{1 - m:.1f},0.0,0.0,0.0,0.0,0.0\n" for n, m in names)
        (truth / f"{truth.name}.csv").write_text(header + lines)
        for name, _ in names:
            save(tmp_path / f"ISIC2018_Task3_{part}_Input" / f"{name}.jpg", blank())
    save(tmp_path / "HAM10000" / "ISIC_2_segmentation.png", region() * 255)
    table = "image,lesion_id,diagnosis_confirm_type\nISIC_1,HAM_7,histopathology\n"
    (tmp_path / "ISIC2018_Task3_Training_LesionGroupings.csv").write_text(table)
    found = isic2018(tmp_path)
    assert [(s.id, s.label, s.group, s.part) for s in found.samples] == [
        ("ISIC_1", 0, "HAM_7", "train"), ("ISIC_2", 1, "", "train"), ("ISIC_9", 0, "", "test")
    ]  # fmt: skip
    assert marked(found, found.samples[1])
    assert not found.samples[0].annotated


def test_chexlocalize_reads_one_finding_at_a_time(tmp_path):
    images = {
        "patient1/study1/view1_frontal": (1.0, 0.0),
        "patient2/study1/view1_frontal": (0.0, 1.0),
    }
    lines = "Path,Pleural Effusion,Lung Opacity\n"
    outlines = {}
    for name, labels in images.items():
        save(tmp_path / "CheXpert" / "val" / f"{name}.jpg", blank())
        lines += f"CheXpert-v1.0/valid/{name}.jpg,{labels[0]},{labels[1]}\n"
        rle = coco_masks.encode(np.asfortranarray(region().astype(np.uint8)))
        kind = "Pleural Effusion" if labels[0] else "Airspace Opacity"
        outlines[name.replace("/", "_")] = {
            kind: {"size": list(SHAPE), "counts": rle["counts"].decode()}
        }
    (tmp_path / "CheXpert" / "val_labels.csv").write_text(lines)
    (tmp_path / "CheXlocalize").mkdir()
    (tmp_path / "CheXlocalize" / "gt_segmentations_val.json").write_text(json.dumps(outlines))
    found = chexlocalize(tmp_path)
    assert found.classes == ("no pleural effusion", "pleural effusion")
    assert [(s.id, s.label, s.group, s.part) for s in found.samples] == [
        ("patient1_study1_view1_frontal", 1, "patient1", "validation"),
        ("patient2_study1_view1_frontal", 0, "patient2", "validation"),
    ]
    assert marked(found, found.samples[0])
    assert found.read(found.samples[1]).mask is None
    other = chexlocalize(tmp_path, finding="Airspace Opacity")
    assert marked(other, other.samples[1])
    with pytest.raises(XaibenchError, match=r"no such finding \(did you mean 'Edema'"):
        chexlocalize(tmp_path, finding="Edma")


def test_chexlocalize_reads_all_findings(tmp_path):
    names = {finding: IN_TABLES[finding] for finding in FINDINGS}
    images = {
        "patient1/study1/view1_frontal": {"Edema": "1.0", "Lung Opacity": "1", "Lung Lesion": "-1"},
        "patient1/study1/view2_lateral": {"Cardiomegaly": "1"},
    }
    lines = f"Path,{','.join(names.values())},No Finding\n"
    shifted = np.roll(region(), 4, axis=1)
    outlines = {}
    for name, labels in images.items():
        save(tmp_path / "CheXpert" / "test" / f"{name}.jpg", blank())
        lines += f"test/{name}.jpg,{','.join(labels.get(n, '0') for n in names.values())},0\n"
        outlines[name.replace("/", "_")] = {
            finding: _encode(mask) for finding, mask in
            (("Edema", region()), ("Airspace Opacity", shifted)) if names[finding] in labels
        }  # fmt: skip
    (tmp_path / "CheXpert" / "test_labels.csv").write_text(lines)
    (tmp_path / "CheXlocalize").mkdir()
    (tmp_path / "CheXlocalize" / "gt_segmentations_test.json").write_text(json.dumps(outlines))
    found = chexlocalize(tmp_path, finding="all")
    assert found.classes == tuple(names.values())
    labels = [
        {name: label.label for name, label in zip(found.classes, s.class_labels, strict=True)}
        for s in found.samples
    ]
    assert labels == [
        {**dict.fromkeys(found.classes, 0), **{k: int(float(v)) for k, v in mine.items()}}
        for mine in images.values()
    ]
    first, second = (
        dict(zip(found.classes, found.read(sample).class_masks, strict=True))
        for sample in found.samples
    )
    assert np.array_equal(first["Edema"], region())
    assert np.array_equal(first["Lung Opacity"], shifted)
    assert first["Lung Lesion"] is None  # nobody can tell
    assert second["Cardiomegaly"] is None  # nobody has drawn it
    assert not first["Cardiomegaly"].any()
    assert np.array_equal(found.read(found.samples[0]).mask, region() | shifted)
    assert np.array_equal(
        found.read(found.samples[0].of_class(found.classes.index("Lung Opacity"))).mask, shifted
    )
    assert {s.group for s in found.samples} == {"patient1"}
    assert len(chexlocalize(tmp_path, finding="all", part="test").samples) == 2
    with pytest.raises(XaibenchError, match="no images of that part"):
        chexlocalize(tmp_path, finding="all", part="validation")
    with pytest.raises(XaibenchError, match="leave per_class out"):
        chexlocalize(tmp_path, finding="all", per_class=3)


def test_chexlocalize_learns_from_chexpert_s_own_table(tmp_path):
    names = list(IN_TABLES.values())
    place = tmp_path / "CheXpert-v1.0-small"
    trained = "CheXpert-v1.0-small/train/patient7/study1/view1_frontal.jpg"
    for path in (tmp_path / trained, tmp_path / "CheXpert/val/patient1/study1/view1_frontal.jpg"):
        save(path, blank())
    table = f"Path,Age,No Finding,{','.join(names)},Fracture\n"
    table += f"{trained},60,,-1.0,1.0{',0.0' * 8},0.0\n"
    (place / "train.csv").write_text(table)
    valid = f"Path,{','.join(names)}\nvalid/patient1/study1/view1_frontal.jpg{',1.0' * 10}\n"
    (tmp_path / "CheXpert" / "val_labels.csv").write_text(valid)
    (tmp_path / "CheXlocalize").mkdir()
    drawn = {"patient1_study1_view1_frontal": {"Edema": _encode(region())}}
    (tmp_path / "CheXlocalize" / "gt_segmentations_val.json").write_text(json.dumps(drawn))
    found = chexlocalize(tmp_path, finding="all", train="CheXpert-v1.0-small/train.csv")
    first, second = found.samples
    assert (first.part, first.group, second.part) == ("train", "patient7", "validation")
    assert [each.label for each in first.class_labels] == [-1, 1, *[0] * 8]
    assert found.read(first).class_masks == (None,) * 10
    masks = dict(zip(found.classes, found.read(second).class_masks, strict=True))
    assert np.array_equal(masks["Edema"], region())
    with pytest.raises(XaibenchError, match="goes with finding=all and both parts"):
        chexlocalize(tmp_path, train="CheXpert-v1.0-small/train.csv")
    with pytest.raises(XaibenchError, match=r"other\.csv: missing; name CheXpert's train\.csv"):
        chexlocalize(tmp_path, finding="all", train="other.csv")


def _encode(mask):
    rle = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(SHAPE), "counts": rle["counts"].decode()}


@pytest.mark.parametrize(
    "plugin", [bus_bra, bus_uclm, brest, kvasir_seg, oxford_pets, isic2018, chexlocalize]
)
def test_what_is_not_there_says_how_to_get_it(plugin, tmp_path):
    with pytest.raises(DataNotFoundError, match="below"):
        plugin(tmp_path)
