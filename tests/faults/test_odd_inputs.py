"""Inputs that are odd but sound: the run goes through, and the picture is right."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_code import RUN, run_folder
from bad_images import frames, saved_all
from bad_row import SIDES, drawn, lopsided, scans, turned, written
from PIL import Image
from plugin_files import forget_plugin_files

from xaibench.audit.audit import audit
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.results.tables import read_table
from xaibench.setup.suite import read_suite

IMAGE, MASK = "scans/a/0.png", "scans/a/0_mask.png"
GRAYS = np.arange(24 * 32, dtype=np.uint16).reshape(SIDES) // 3
MARKED = lopsided() > 0


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scans()
    yield
    forget_plugin_files()


def first(options="scans"):
    """Return the first sample's image and mask, as a run reads them."""
    dataset = open_dataset(bind("dataset", f"folder[path={options}]"))
    return dataset.read(dataset.samples[0])


def instead(ending, save):
    """Put a file in the place of the first image."""
    Path(IMAGE).unlink()
    save(f"scans/a/0{ending}")
    return first().image


def test_sixteen_bits_give_the_same_picture_as_eight():
    deep = (GRAYS * 257).astype(np.uint16)
    for ending in (".png", ".tif"):
        image = instead(ending, lambda path: drawn(path, deep))
        assert (image == GRAYS[..., None]).all()
        Path(IMAGE).write_bytes(b"")


def test_color_models_become_rgb():
    colors = np.zeros((*SIDES, 3), np.uint8)
    colors[:, :9], colors[:5, 9:] = (200, 30, 60), (10, 90, 250)
    original = Image.fromarray(colors)
    cmyk = instead(".jpg", lambda path: original.convert("CMYK").save(path, quality=100))
    assert np.abs(cmyk.astype(int) - colors).mean() < 3
    Path("scans/a/0.jpg").unlink()
    palette = original.convert("P", palette=Image.Palette.ADAPTIVE)
    palette.save(IMAGE)
    assert (first().image == colors).all()


def test_what_is_transparent_lies_on_black():
    alpha = lopsided()
    hidden = np.dstack([np.full(SIDES, 90, np.uint8), alpha])
    drawn(IMAGE, hidden)
    assert (first().image == np.where(MARKED, 90, 0)[..., None]).all()
    drawn(MASK, np.dstack([np.full((*SIDES, 3), 255, np.uint8), alpha]))
    assert (first().mask == MARKED).all()


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_an_ending_may_lie(kind):
    Image.new("L", SIDES[::-1], 80).save("x", kind)
    Path("x").replace(IMAGE)
    assert np.abs(first().image.astype(int) - 80).max() <= 1


def test_a_preview_beside_a_picture_is_no_stack():
    large, small = frames(1)[0], frames(2, (6, 8))[1]
    image = instead(".tif", lambda path: saved_all(path, [large, small]))
    assert (image == 40).all()


def test_a_single_pixel_is_a_picture():
    drawn(IMAGE, np.full((1, 1), 7, np.uint8))
    drawn(MASK, np.full((1, 1), 255, np.uint8))
    image, mask = first()[:2]
    assert (image.shape, mask.tolist()) == ((1, 1, 3), [[1]])


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_turns_image_and_mask_alike(turn, ending):
    Path(IMAGE).unlink()
    drawn(f"scans/a/0{ending}", lopsided(), exif=turned(turn))
    drawn(MASK, lopsided(), exif=turned(turn))
    image, mask = first()[:2]
    assert ((image[..., 0] > 0) == mask).all()
    assert (mask.shape != SIDES) == (turn > 4)
    assert (turn == 1) == (mask.shape == SIDES and bool((mask == MARKED).all()))


def test_a_mask_drawn_on_the_picture_as_people_see_it_fits():
    drawn(IMAGE, lopsided(), exif=turned(6))  # shown a quarter turn clockwise
    drawn(MASK, np.rot90(lopsided(), -1))
    image, mask = first()[:2]
    assert ((image[..., 0] > 0) == mask).all()
    assert (mask == np.rot90(MARKED, -1)).all()


def test_masks_of_16_bits_of_1_bit_and_in_parts():
    drawn(MASK, lopsided().astype(np.uint16) * 257)
    assert (first().mask == MARKED).all()
    drawn(MASK, MARKED)
    assert (first().mask == MARKED).all()
    drawn(MASK, np.where(np.arange(24)[:, None] < 7, lopsided(), 0).astype(np.uint8))
    drawn("scans/a/0_mask_1.png", np.where(np.arange(24)[:, None] < 7, 0, lopsided()).astype("u1"))
    assert (first().mask == MARKED).all()


NAMES = (
    "a b", "benign (1)", "a[b]", "a,b", 'a"b', "-rf", "NA", "nan", "=cmd()", "Ünïcode", "日本",
    "🫀", "x" * 200, "A", "a", "a.b", "a'b", "<script>", "%s", "{0}", "~", "#", "a;b", "1e5", "007",
)  # fmt: skip


def test_names_of_any_kind_survive_the_way_through_tables(call):
    for name in NAMES:
        drawn(f"scans/b/{name}.png", GRAYS.astype(np.uint8))
        drawn(f"scans/b/{name}_mask.png", lopsided())
    dataset = open_dataset(bind("dataset", "folder[path=scans]"))
    ids = [sample.id for sample in dataset.samples]
    assert {f"b/{name}" for name in NAMES} < set(ids)
    assert all(sample.masks for sample in dataset.samples)
    table = pd.DataFrame({"sample": ids, "value": range(len(ids))})
    table.to_csv("t.csv", index=False)
    assert read_table(Path("t.csv"))["sample"].tolist() == ids
    code, _, err = call("audit", "--dataset", "folder[path=scans]", "--out", "out", "-q")
    assert (code, err) == (0, "")
    told = pd.read_csv("out/groups.csv", dtype=str, keep_default_na=False)
    assert set(told["sample"]) <= set(ids)
    assert len(told) >= len(NAMES)


def test_an_accent_may_be_written_in_two_ways():
    drawn("scans/a/e\u0301.png", GRAYS.astype(np.uint8))
    drawn("masks/a/\u00e9.png", lopsided())
    written("g.csv", "sample,group\na/e\u0301,one\na/0,one\n")
    dataset = open_dataset(bind("dataset", "folder[path=scans,masks=masks]"))
    (sample,) = (each for each in dataset.samples if each.id == "a/\u00e9")
    assert sample.masks
    assert dataset.read(sample).image.shape[:2] == SIDES


def test_spreadsheets_write_marks_and_other_ends_of_lines():
    rows = f'image,label,mask\r"{IMAGE}",a,{MASK}\rscans/b/0.png,b,\r'
    written("t.csv", b"\xef\xbb\xbf" + rows.encode())
    assert (first("t.csv").mask == MARKED).all()
    written("s.toml", b"\xef\xbb\xbf" + b"epochs = 3\n")
    assert read_suite(Path("s.toml"))[0].options["epochs"] == 3


def test_an_audit_warns_of_swapped_masks_and_of_12_bits():
    drawn(MASK, 255 - lopsided())
    drawn("scans/a/1.png", (GRAYS * 16).astype(np.uint16))
    found = audit(open_dataset(bind("dataset", "folder[path=scans]"))).findings
    told = {(each.sample, each.finding): each.detail for each in found}
    assert told["a/0", "inverted_mask"].startswith("85.8% is marked, the whole border too")
    assert told["a/1", "dark_image"].endswith("its brightest gray is 15 of 255; stretch its grays")


PLUGIN = """import xaibench
@xaibench.method()
def own(images):
    return images[:, 0]
"""


def test_a_plugin_file_that_a_run_names_is_loaded_once_the_user_names_it(call):
    run_folder(options={**RUN["options"], "plugin": ["own.py"]})
    written("own.py", PLUGIN)
    explain = ("explain", IMAGE, "--run", "run", "--out", "x", "--methods", "own")
    assert "give --plugin own.py if you trust it." in call(*explain)[2]
    assert "no such model is trained there" in call(*explain, "--plugin", "own.py")[2]
