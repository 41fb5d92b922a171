"""Binary maps and covered images of a hand-made run, read back from what was drawn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from frames import METHODS, NET, metric, predicted, rows_of, run_of
from PIL import Image

from xaibench.report.facts.material import Material
from xaibench.report.judging.chapter import judge_all
from xaibench.report.pictures.binary_figure import draw_binary
from xaibench.report.pictures.covered_figure import draw_covered
from xaibench.report.pictures.covered_line import scored_in_words
from xaibench.report.pictures.stored import Stored
from xaibench.results.folder import Layout, Place
from xaibench.results.maps import MapWriter, map_key

HEIGHT, WIDTH, SIDE = 6, 10, 4
IMPORTANT = "drop_in_confidence[by=zero,covered=important]"
VALUES = {
    "iou": [0.2, 0.9, 0.5],
    "drop_in_confidence": [0.4, 0.0, 0.2],
    "increase_in_confidence": [0.0, 1.0, 0.0],
    "average_gain": [0.0, 0.2, 0.0],
    IMPORTANT: [0.8, 0.5, 0.0],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three images whose masks are their left halves; the map is a ramp along the rows."""
    place = tmp_path_factory.mktemp("pictured")
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, : WIDTH // 2] = 255
    files = []
    for number in range(3):
        name = f"s{number}"
        Image.new("RGB", (WIDTH, HEIGHT), (200, 100, 50)).save(place / f"{name}.png")
        Image.fromarray(mask).save(place / f"{name}_mask.png")
        files.append(
            {"image": f"{name}.png", "mask": f"{name}_mask.png", "label": "ab"[number % 2]}
        )
    pd.DataFrame(files).to_csv(place / "table.csv", index=False)
    spec = f"folder[path={place / 'table.csv'}]"
    up = ("increase_in_confidence", "average_gain", IMPORTANT)
    run = run_of(
        dataset=spec,
        classes=["a", "b"],
        options={"image_size": SIDE},
        methods={"gradcam": {"family": METHODS["gradcam"][0], "sign": "relu"}},
        metrics={"iou": metric()}
        | {name: metric("faithfulness", higher=name in up) | {"target": "predicted"}
           for name in VALUES if name != "iou"},
    )  # fmt: skip
    out = place / "out"
    folder = Layout(out).cell_folder(Place(spec, "holdout", 0, NET, 0), "gradcam")
    folder.mkdir(parents=True)
    writer = MapWriter(folder / "maps.npz")
    for number in range(3):
        ramp = np.tile(np.arange(SIDE, dtype=np.float32)[:, None], (1, SIDE))
        writer.add(map_key("label", f"s{number}"), ramp)
        writer.add(map_key("predicted", f"s{number}"), ramp)
    writer.close()
    scores = [
        row
        for name, values in VALUES.items()
        for row in rows_of("gradcam", name, values, dataset=spec)
    ]
    said = predicted([0, 1, 0], [1, 1, 0], dataset=spec)
    contents = judge_all(Material.of(run, pd.DataFrame(scores), said), out)
    return contents, Stored(run), out


def drawn(made, draw):
    contents, stored, out = made
    return draw(contents.chapters[0], contents.material, stored, out)


def pictures_of(drawing):
    """Return the pictures and the words below them, row by row."""
    (axes,) = drawing.figure.axes
    below = {text.get_position(): text.get_text() for text in axes.texts if text.get_va() == "top"}
    found = []
    for image in axes.images:
        left, right, bottom, _ = image.get_extent()
        words = [said for (across, down), said in below.items()
                 if left < across < right and 0 < down - bottom < 0.1]  # fmt: skip
        found.append((image.get_array(), "".join(words)))
    return found


def test_binary_maps_are_beside_the_truth_the_best_first(made):
    drawing = drawn(made, draw_binary)
    found = pictures_of(drawing)
    assert len(found) == 9
    assert [words for _, words in found[2::3]] == ["IoU 0.900", "IoU 0.500", "IoU 0.200"]
    texts = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert [text for text in texts if "\n" in text] == ["best\ns1", "best\ns2", "worst\ns0"]
    image, truth, marked = (found[at][0] for at in range(3))
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert truth.tolist() == [[255, 255, 0, 0]] * SIDE
    # A ramp of 0, 1/3, 2/3, 1: half of the maximum is reached by the last two rows.
    assert marked.tolist() == [[0] * SIDE] * 2 + [[255] * SIDE] * 2
    assert "0.5 of its maximum" in drawing.title


def test_covered_images_have_the_confidences_that_were_scored(made):
    found = pictures_of(drawn(made, draw_covered))
    # Columns: image, map, the rest darkened, the important part in black, the latter darkened.
    rows = [found[at : at + 5] for at in range(0, 15, 5)]
    words = [[said for _, said in row] for row in rows]
    assert words == [
        ["0.750", "", "0.800\nan increase", "0.375\na drop of 50 %", "not measured"],
        ["0.750", "", "0.600\na drop of 20 %", "0.750 or more", "not measured"],
        ["0.750", "", "0.450\na drop of 40 %", "0.150\na drop of 80 %", "not measured"],
    ]
    needed = "What is not measured needs the metric `drop_in_confidence[covered=important]`."
    assert drawn(made, draw_covered).alt.endswith(needed)
    rest, black, darkened = (rows[0][at][0] for at in (2, 3, 4))
    assert rest[:, 0].tolist() == [[0, 0, 0], [67, 33, 17], [133, 67, 33], [200, 100, 50]]
    assert black[:, 0].tolist() == [[200, 100, 50]] * 2 + [[0, 0, 0]] * 2
    assert (rest[:, 0].astype(int) + darkened[:, 0] == [200, 100, 50]).all()


def test_a_confidence_that_scores_leave_open_is_told_so():
    nan = float("nan")
    for scores, words in (
        ((0.5, 0.0, nan, nan), "0.500 or more"),
        ((0.5, 0.0, 0.0, nan), "0.500, the same"),
        ((0.5, nan, nan, nan), "not measured"),
    ):
        assert scored_in_words(*scores) == words


def test_maps_that_another_model_judges_show_no_confidence(made):
    contents, stored, out = made
    silent = contents.material.predictions.assign(prediction=np.nan)
    material = replace(contents.material, predictions=silent)
    assert draw_covered(contents.chapters[0], material, stored, out) is None


def test_without_maps_nothing_is_drawn(made, tmp_path):
    contents, stored, _ = made
    for draw in (draw_binary, draw_covered):
        assert draw(contents.chapters[0], contents.material, stored, tmp_path) is None
