import json
import logging
import re
import shutil
import zlib
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from xaibench.core.overlap import binarize
from xaibench.report.facts.material import read_material
from xaibench.report.facts.section import Row, Section
from xaibench.report.judging.chapter import judge_all
from xaibench.report.page import gallery as gallery_module
from xaibench.report.page.gallery import collect_gallery
from xaibench.report.page.gallery_choice import Choice, by_image, choose_samples
from xaibench.report.page.gallery_pixels import heat_table, levels_of, pack, preview
from xaibench.report.pictures.stored import Stored
from xaibench.results.maps import MapWriter
from xaibench.results.records import MethodEntry, MetricEntry, RunRecord

NAN = float("nan")


@pytest.fixture(scope="module")
def contents(finished_run):
    return judge_all(read_material(finished_run), finished_run)


@pytest.fixture
def copied(finished_run, tmp_path):
    return shutil.copytree(finished_run, tmp_path / "run")


def unpack(packed, shape):
    taken, text = packed
    pixels = np.frombuffer(zlib.decompress(b64decode(text)), np.uint8).reshape(shape)
    for axis in (0, 1)[2 - taken :]:
        pixels = np.cumsum(pixels, axis=axis, dtype=np.uint8)
    return pixels


SLOPES = np.add.outer(np.arange(7) * 9, np.arange(5)[::-1] * 11).astype(np.uint8)
CLIMBS = np.random.default_rng(0).integers(0, 2, (23, 90)).cumsum(axis=1)
NOISE = np.random.default_rng(1).integers(0, 101, (23, 37))


@pytest.mark.parametrize(("pixels", "taken"), [(SLOPES, 2), (CLIMBS, 1), (NOISE, 0)])
def test_packed_pixels_come_back(pixels, taken):
    pixels = pixels.astype(np.uint8)
    packed = pack(pixels)
    assert packed[0] == taken
    assert (unpack(packed, pixels.shape) == pixels).all()


def test_a_level_is_marked_by_each_threshold_up_to_it():
    steps = torch.tensor([[0.0, 0.29, 0.57], [0.58, 0.1, 1.0]])  # 0.29 and 0.57 round awkwardly
    for finished in (steps, 0.37 * steps, torch.zeros(2, 3), torch.rand(9, 4) * 0.2):
        levels = torch.from_numpy(levels_of(finished))
        for k in range(1, 101):
            assert ((levels >= k) == binarize(finished[None], k / 100)[0]).all()
    assert levels_of(steps).tolist() == [[0, 29, 57], [58, 10, 100]]


def test_outlines_lie_where_the_mask_does():
    mask = np.zeros((300, 600), np.int8)
    mask[30:90, :150] = 1  # meets the left edge
    mask[60:75, 30:45] = 3
    mask[200:, 500:] = -1
    made = preview(np.zeros((300, 600, 3), np.uint8), mask)
    assert (made.width, made.height) == (256, 128)
    ends = []
    for path in made.outline:
        assert path.count("M") == 1
        points = np.array(re.findall(r"([\d.]+),([\d.]+)", path), float)
        ends.append([*points.min(axis=0), *points.max(axis=0)])
    scale = 256 / 600
    expected = np.array([[0, 30, 150, 90], [30, 60, 45, 75]]) * scale
    assert np.abs(np.array(ends) - expected).max() < 0.6
    assert preview(np.zeros((30, 20, 3), np.uint8), None).outline == []


def test_heat_is_the_more_opaque_the_hotter():
    heat = np.array(heat_table())
    assert heat.shape == (101, 4)
    assert heat[0, 3] == 0
    assert heat[100].tolist() == [252, 255, 164, 204]
    assert (np.diff(heat[:, 3]) > 0).all()


def section_of(values):
    values = np.array(values, float)
    samples = [f"s{at}" for at in range(len(values))]
    units = pd.DataFrame({"fold": 0, "seed": 0, "sample": samples, "group": samples})
    # A second seed's maps aren't shown.
    units = pd.concat([units, units.assign(seed=1)], ignore_index=True)
    rows = [Row("net", "cam", "method"), Row("net", "slow", "method"), Row("net", "c", "control")]
    both = {"drop": np.concatenate([values, 1 - values])}
    return Section("d", "holdout", rows, units, both, {"drop": np.ones(both["drop"].shape, bool)})


DROP = {"family": "faithfulness", "higher_is_better": False, "estimand": "per image"}


def run_of(metric):
    methods = {"cam": MethodEntry(family="cam"), "slow": MethodEntry(family="other"),
               "c": MethodEntry(family="control")}  # fmt: skip
    return RunRecord(classes=(), methods=methods, metrics={"drop": MetricEntry(**metric)},
                     protocol_hash="c0ffee")  # fmt: skip


def test_samples_are_chosen_by_the_leader_and_the_spread_of_rows_that_compete():
    run = run_of(DROP)
    values = [(0.5, 0.5, 9), (NAN, 0.2, 0), (0.1, 0.2, 0), (0.9, 0.3, 0), (0.4, NAN, 0)]
    chosen = choose_samples(section_of(values), run)
    ways = ("best", "worst", "apart")
    found = {way: [each.unit for each in chosen if way in each.reasons] for way in ways}
    # Taken in turn: the best, the worst, the one apart, one by chance; only new ones are added.
    assert found == {"best": [2, 4], "worst": [3, 0], "apart": [2, 3, 0]}
    assert sorted(choice.unit for choice in chosen) == list(range(5))
    assert chosen[0].unit == 2
    assert chosen[0].reasons["best"] == "best by drop ↓ of cam on net: 0.100"
    by_unit = {choice.unit: choice.reasons for choice in chosen}
    assert by_unit[3]["worst"] == "worst by drop ↓ of cam on net: 0.900"
    assert by_unit[3]["apart"] == "methods differ most by drop: 0.300 to 0.900"
    again = choose_samples(section_of(values), run)
    assert again == chosen
    order = [c.unit for c in choose_samples(section_of([(0.5, 0.5, 0)] * 40), run)]
    other = [c.unit for c in choose_samples(section_of([(0.5, 0.5, 0)] * 40),
                                            replace(run, protocol_hash="beef"))]  # fmt: skip
    assert sorted(order) == sorted(other) == list(range(40))
    assert order != other


def test_an_image_is_shown_with_all_classes_that_were_explained():
    section = section_of([(0.5, 0.5, 0)] * 5)
    names = ["a [hot dog]", "b [dog]", "a [dog]", "c [dog]", "b [hot dog]"]
    section.units["sample"] = names * 2
    run = replace(run_of(DROP), classes=("dog", "hot dog"), several_labels=True)
    chosen = [Choice(1, {"best": "the best"}, 0), Choice(0, {"worst": "the worst"}, 3),
              Choice(2, {"random": "drawn"}, 1)]  # fmt: skip
    images = list(by_image(chosen, section, run))
    # In the order of choice, and the classes that were chosen are first.
    assert [[each.unit for each in image] for image in images] == [[1, 4], [0, 2]]
    assert images[0][1].reasons == {}
    assert [[each.unit for each in image] for image in by_image(chosen, section, run_of(DROP))] == [
        [1], [0], [2],
    ]  # fmt: skip


def test_the_row_that_lacks_images_does_not_choose_and_equal_scores_are_left_to_chance():
    pooled = {"family": "localization", "higher_is_better": True, "estimand": "pooled: one value"}
    run = run_of(pooled)
    values = [(0.9, 0.0, 0)] * 30 + [(NAN, 0.8, 0)]
    chosen = choose_samples(section_of(values), run)
    worst = [each.unit for each in chosen if "worst" in each.reasons]
    assert worst not in (list(range(8)), list(range(29, 21, -1)))
    words = chosen[0].reasons["best"]
    assert (chosen[0].unit, words) == (30, "best by its part in drop ↑ ‡ of slow on net: 0.800")


def gallery_of(contents, out):
    return collect_gallery(contents, Stored(contents.run), out)


def test_a_map_is_read_under_the_first_of_its_names(tmp_path):
    writer = MapWriter(tmp_path / "maps.npz")
    writer.add("label/a", np.array([[0, 4, 2]], np.float32))
    writer.add("predicted/a", np.array([[8, 0, 2]], np.float32))
    writer.add("label/b", np.array([[-1, 1, 1]], np.float32))
    writer.close()
    stored = Stored(RunRecord(classes=(), methods={"m": MethodEntry(family="cam")}, metrics={}))
    read = [
        stored.finished(tmp_path, [f"predicted/{name}", f"label/{name}"], (1, 3), "m")
        for name in "abc"
    ]
    assert read[0][0].tolist() == [[1, 0, 0.25]]
    assert read[1][0].tolist() == [[0, 1, 1]]
    assert read[2] is None
    assert stored.finished(tmp_path / "none", ["label/a"], (1, 3), "m") is None


@pytest.mark.slow
def test_a_gallery_holds_every_image_that_fits(contents, finished_run, monkeypatch):
    whole = gallery_of(contents, finished_run)
    assert len(whole.samples) == whole.total == 24
    assert set(list(whole.methods)[-2:]) == {"sobel", "average_mask"}
    assert "to the last digit" in whole.checked
    for sample in whole.samples:
        number = int(sample.name.split()[0])
        assert sample.undefined == ("" if number % 5 else "no mask")
        assert (sample.mask is None) == (sample.undefined != "")
        assert sum(tile.kind == "control" for tile in sample.tiles) == 2
        assert len(sample.tiles) == 7
    monkeypatch.setattr(gallery_module, "_MOST_CHARACTERS", 1)
    least = gallery_of(contents, finished_run)
    assert (len(least.samples), least.total) == (5, 24)
    assert [sample.name for sample in least.samples] == [s.name for s in whole.samples[:5]]
    assert len(json.loads(least.data)["samples"]) == 5
    assert all("random" in sample.reasons for sample in whole.samples)
    # Those beyond a gap are there for their scores alone, wherever chance has put them.
    section = contents.chapters[0].section
    names = section.units["sample"].to_numpy()
    order = {names[each.unit]: each.drawn for each in choose_samples(section, contents.run)}
    shown = {order[sample.name] for sample in least.samples}
    by_chance = {order[s.name] for s in least.samples if "random" in s.reasons}
    assert by_chance == set(range(len(by_chance))) < shown
    assert len(by_chance) not in shown


@pytest.mark.slow
def test_scores_that_the_maps_do_not_have_are_told(copied):
    scores = pd.read_csv(copied / "scores.csv")
    chosen = (scores["metric"] == "iou") & (scores["method"] == "spn") & (scores["value"] < 0.7)
    scores.loc[scores.index[chosen][0], "value"] += 0.25
    scores.to_csv(copied / "scores.csv", index=False)
    found = gallery_of(judge_all(read_material(copied, accept_changes=True), copied), copied)
    assert re.search(r"by up to 0\.25 for 1 of \d+ maps", found.checked)


@pytest.mark.slow
def test_without_maps_or_images_there_is_no_gallery(contents, copied, caplog):
    plain = replace(contents.run, options={})
    merged = replace(contents, material=replace(contents.material, run=plain))
    assert gallery_of(merged, copied) is None
    elsewhere = replace(contents.run, dataset="folder[path=gone.csv]")
    lost = replace(contents.material, run=elsewhere)
    with caplog.at_level(logging.WARNING):
        assert gallery_of(replace(contents, material=lost), copied) is None
    assert "no gallery" in caplog.text
    assert "gone.csv" in caplog.text
    shutil.rmtree(copied / "cells")
    assert gallery_of(contents, copied) is None


@pytest.mark.slow
def test_an_archive_of_objects_is_not_unpickled(contents, copied, caplog):
    for path in copied.glob("cells/**/spn/maps.npz"):
        with np.load(path) as archive:
            names = list(archive.files)
        np.savez(path, **{name: np.array([{"any": "object"}], object) for name in names})
    with caplog.at_level(logging.WARNING):
        assert gallery_of(contents, copied) is None
    assert "/spn/maps*.npz: Object arrays" in caplog.text
    assert "repeat the run" in caplog.text
