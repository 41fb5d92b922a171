"""The gallery in a real browser: what it counts, draws, hides and says."""

import json
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

from xaibench.core.loading import resize_picture
from xaibench.core.overlap import jaccard, mark
from xaibench.report.facts.proper_names import bare_method_name
from xaibench.report.pictures.shown_rows import short_names
from xaibench.report.pictures.stored import Stored
from xaibench.results.folder import Layout, Place
from xaibench.results.stored_run import read_run
from xaibench.results.tables import read_table

TILES = """() => [...document.querySelectorAll(".gallery-tile")].map(tile => {
  const iou = tile.querySelector(".gallery-iou");
  return [tile.closest("article").querySelector("h3").textContent, tile.dataset.method,
          tile.dataset.model, Boolean(tile.offsetParent), iou.textContent, Number(iou.dataset.iou),
          tile.querySelector("canvas").getAttribute("aria-label")];
})"""
PIXELS = """() => {
  const tile = document.querySelector(".gallery-tile"), canvas = tile.querySelector("canvas");
  const { width, height } = canvas, plain = document.createElement("canvas");
  Object.assign(plain, { width, height });
  plain.getContext("2d").drawImage(tile.closest("article").querySelector("img"), 0, 0);
  const [drawn, image] = [canvas, plain].map(each =>
    new Uint32Array(each.getContext("2d").getImageData(0, 0, width, height).data.buffer));
  return [width, height, [...drawn].map((pixel, i) => pixel !== image[i])];
}"""
PAINTED = """() => [...document.querySelectorAll(".gallery-tile canvas")].filter(canvas =>
  canvas.getContext("2d").getImageData(50, 30, 1, 1).data[3]).length"""

PRINT = "() => dispatchEvent(new Event('beforeprint'))"


class Tile(NamedTuple):
    sample: str
    method: str
    model: str
    shown: bool
    text: str
    iou: float
    label: str

    @property
    def key(self):
        return self[:3]


def tiles_of(page):
    return [Tile(*each) for each in page.evaluate(TILES)]


def shown_keys(page):
    return {tile.key for tile in tiles_of(page) if tile.shown}


@pytest.fixture(scope="module")
def run(finished_run):
    return json.loads((finished_run / "run.json").read_text("utf-8"))


@pytest.fixture
def page(look, finished_run):
    opened = look(finished_run / "report.html", viewport={"width": 900, "height": 700})
    opened.locator("#gallery summary").first.click()
    opened.wait_for_selector(".gallery-iou:not([data-iou])", state="detached", timeout=90_000)
    return opened


@pytest.fixture(scope="module")
def scores(finished_run):
    """IoU of scores.csv by sample, method and model; controls are the same for all models."""
    table = read_table(finished_run / "scores.csv")
    table = table[table["metric"] == "iou"]
    control = table["method"].isin(["average_mask", "sobel"])
    kept = control | ~table["method"].isin(["random", "center", "all_ones", "oracle", "ceiling"])
    table = table[kept].assign(model=table["model"].mask(control, ""))
    return table.drop_duplicates(["sample", "method", "model"])


@pytest.fixture(scope="module")
def stored(finished_run, run, scores):
    """Return what a tile is made of: its map, its mask and which pixels a threshold marks."""
    kept = Stored(read_run(finished_run))
    samples = {sample.id: sample for sample in kept.images.samples}
    folds = dict(zip(scores["sample"], scores["fold"], strict=True))

    def read(sample, method, model, threshold):
        model = model or next(iter(run["models"]))
        place = Place(run["dataset"], "kfold:2", folds[sample], model, 0)
        folder = Layout(finished_run).cell_folder(place, method)
        values, _ = kept.finished(folder, [f"label/{sample}"], (48, 48), method)
        truth = resize_picture(kept.images.read(samples[sample]), 48).mask > 0
        return mark("iou", values[None], threshold, "maximum"), torch.from_numpy(truth)[None]

    return read


def test_the_slider_s_iou_is_that_of_the_scores(page, scores):
    found = {tile.key: tile for tile in tiles_of(page)}
    assert len(found) == len(scores) == 24 * 7
    for row in scores.itertuples():
        tile = found[row.sample, row.method, row.model]
        if np.isnan(row.value):
            assert tile.text == "IoU undefined (no mask)"
            assert np.isnan(tile.iou)
        else:
            assert np.float32(tile.iou) == np.float32(row.value)
            assert abs(float(tile.text.removeprefix("IoU ")) - row.value) <= 0.0005 + 1e-9
    assert scores["value"].isna().sum() == 5 * 7


def test_other_thresholds_count_what_the_metric_counts(page, stored, scores):
    page.locator("#gallery-threshold").fill("0.07")
    assert page.locator("#gallery-at").inner_text() == "0.07"
    found = {tile.key: tile.iou for tile in tiles_of(page)}
    for row in scores.dropna(subset="value").itertuples():
        key = row.sample, row.method, row.model
        assert np.float32(found[key]) == np.float32(jaccard(*stored(*key, 0.07)).item())


def test_keys_move_the_threshold_and_pictures_say_what_they_show(page):
    page.locator("#gallery-threshold").focus()
    assert page.locator("[value=heat]").is_checked()
    for key in ("]", "ArrowUp", "ArrowUp", "["):
        page.keyboard.press(key)
    assert page.locator("#gallery-at").inner_text() == "0.52"
    assert page.locator("[value=binary]").is_checked()
    tile = tiles_of(page)[0]
    model = short_names([each.model for each in tiles_of(page) if each.model])[tile.model]
    where = f"{bare_method_name(tile.method)} on {model} for image {tile.sample}"
    assert tile.label == f"{where}, {tile.text} at threshold 0.52"


def test_marked_pixels_are_drawn_where_they_lie(page, stored):
    page.locator("#gallery-threshold").fill("0.95")
    page.evaluate(PRINT)  # paints what lies far below, too
    width, height, changed = page.evaluate(PIXELS)
    assert (width, height) == (104, 72)
    changed = np.reshape(changed, (height, width))
    marked, truth = (part[0].numpy() for part in stored(*tiles_of(page)[0].key, 0.95))
    # Where the centers of the picture's pixels lie in the map.
    rows, columns = (((np.arange(n) + 0.5) * 48 / n).astype(int) for n in (height, width))
    hit, missed, free = (
        part[np.ix_(rows, columns)] for part in (marked & truth, truth & ~marked, ~marked & ~truth)
    )
    assert hit.any()
    assert (hit != hit[::-1]).any()
    assert (hit != hit[:, ::-1]).any()
    assert changed[hit].all()
    assert not changed[free].any()
    assert 0.1 < changed[missed].mean() < 0.5  # dots


def test_filters_leave_what_they_say(page, finished_run, run):
    names, count = shown_keys(page), page.locator("#gallery-count")
    said = read_table(finished_run / "predictions.csv")
    right = {(row.sample, row.model): row.prediction == row.label for row in said.itertuples()}
    markup = run["classes"][0]
    of_class = set(said[said["label"] == 0]["sample"])

    page.locator("#gallery-class").select_option(label=markup)
    expected = {key for key in names if key[0] in of_class}
    assert shown_keys(page) == expected
    assert count.inner_text() == f"12 of 24 images are shown, with {len(expected)} maps."

    page.locator("#gallery-class").select_option("")
    page.locator("#gallery-right").select_option("wrong")
    wrong = {key for key in names if key[2] and not right[key[0], key[2]]}
    assert 0 < len(wrong) < len(names) - 2 * 24
    found = shown_keys(page)
    assert {key for key in found if key[2]} == wrong
    assert {key[0] for key in found} == {key[0] for key in wrong}

    page.locator("#gallery-right").select_option("")
    page.locator("#gallery-model summary").click()
    page.locator("#gallery-model input").first.uncheck()
    page.locator("#gallery-method summary").click()
    page.locator("#gallery-method button").last.click()
    page.locator("#gallery-method input[value=gradient]").check()
    kept = {key[1:] for key in shown_keys(page)}
    assert kept == {("gradient", page.locator("#gallery-model input").last.input_value())}
    page.locator("#gallery-method input[value=gradient]").uncheck()
    assert count.inner_text() == "No image is left: loosen a filter."
    assert not shown_keys(page)


def test_the_best_are_found_by_the_way_they_were_chosen(page, scores, finished_run):
    page.locator("#gallery-reason").select_option("best")
    found = {key[0] for key in shown_keys(page)}
    board = pd.read_csv(finished_run / "leaderboard.csv").iloc[0]
    leader = scores[(scores["method"] == board["method"]) & (scores["model"] == board["model"])]
    values = leader.set_index("sample")["value"]
    assert len(found) == 8
    assert values[sorted(found)].min() >= values.drop(sorted(found)).max()


def test_all_is_painted_for_a_print_and_outlines_can_go(page):
    assert page.evaluate(PAINTED) < 24 * 7
    page.evaluate(PRINT)
    assert page.evaluate(PAINTED) == 24 * 7
    page.emulate_media(media="print")
    assert not page.locator("#gallery-threshold").is_visible()
    page.emulate_media(media="screen")
    outlines = page.locator(".gallery-outline:visible")
    assert outlines.count() == 19 * 8
    page.locator("#gallery-outlines").uncheck()
    assert outlines.count() == 0


def test_without_scripts_images_and_outlines_stay(look, finished_run):
    page = look(finished_run / "report.html", java_script_enabled=False)
    page.locator("#gallery summary").first.click()
    assert page.locator("#gallery article img").count() == 24
    assert page.locator("#gallery article img").first.bounding_box()["width"] > 100
    assert page.locator(".gallery-about .gallery-outline").count() == 19
    assert not page.locator("#gallery-threshold").is_visible()
    assert not page.locator(".gallery-tile").first.is_visible()
    assert "Without JavaScript" in page.locator("#gallery noscript").inner_text()


def test_the_pixel_pointed_at_has_its_value_on_all_maps_of_an_image(page):
    frames = page.locator("article").first.locator(".gallery-tile .gallery-frame")
    frames.first.scroll_into_view_if_needed()
    box = frames.first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    values = page.locator(".gallery-value:visible")
    assert values.count() == frames.count()
    assert all(0 <= float(text) <= 1 for text in values.all_inner_texts())
    page.mouse.move(0, 0)
    assert values.count() == 0


def test_two_maps_are_compared_over_one_image(page):
    page.locator("#gallery-compare summary").click()
    names = page.locator("#gallery-pair-left option").all_inner_texts()
    assert len(names) == len(set(names)) > 3
    assert any(name.startswith("Grad-CAM on ") for name in names)
    assert page.locator(".gallery-pair").count() == 0
    for side, name in zip(("left", "right"), names[1:3], strict=True):
        page.locator(f"#gallery-pair-{side}").select_option(label=name)
    assert page.locator(".gallery-pair").count() == 24
    pair = page.locator(".gallery-pair").first
    assert pair.locator("figcaption").inner_text() == " | ".join(names[1:3])
    page.wait_for_function(
        "[...document.querySelector('.gallery-pair').querySelectorAll('canvas')].every(each =>"
        " each.getContext('2d').getImageData(50, 30, 1, 1).data[3])"
    )
    pair.locator("input").fill("20")
    cut = "getComputedStyle(document.querySelector('.gallery-pair canvas + canvas')).clipPath"
    assert page.evaluate(cut).endswith("20%)")
    page.locator("#gallery-pair-left").select_option("")
    assert page.locator(".gallery-pair").count() == 0
