"""VOC 2007 with difficult objects, and the pointing game with a center worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from tiny_sets import make_voc07

import xaibench
from xaibench.core.errors import DataNotFoundError, XaibenchError
from xaibench.datasets.voc07 import voc07
from xaibench.setup.several import labels_of, shown_in

CLASSES = ("dog", "cat", "person")
# Width, height and objects; the middle of the first is between the columns 30 and 31, rows 20
# and 21 as VOC counts them.
AT_CENTER = (60, 40, [("dog", (26, 16, 35, 25), 0), ("cat", (1, 1, 6, 6), 1)])
ALONE = (40, 60, [("dog", (1, 1, 8, 50), 0)])
BESIDE = (60, 40, [
    ("cat", (34, 18, 40, 23), 0),  # three columns beside the middle: near enough for 5 pixels
    ("cat", (50, 1, 55, 4), 1),
    ("person", (5, 2, 58, 39), 0),  # more than a quarter of the image
])  # fmt: skip
CORNERS = (40, 60, [("person", (1, 1, 5, 5), 0), ("dog", (30, 50, 38, 58), 0)])
KINDS = (AT_CENTER, ALONE, BESIDE, CORNERS)


@pytest.fixture
def place(tmp_path):
    def some(part, count):
        return {f"{part}{n:02}": KINDS[n % len(KINDS)] for n in range(count)}

    make_voc07(tmp_path / "deep", {part: some(part, count) for part, count in
                                   (("train", 8), ("val", 4), ("test", 16))})  # fmt: skip
    return tmp_path


def test_a_class_of_difficult_objects_alone_is_uncertain(place):
    data = voc07(place, classes=CLASSES)
    assert [s.part for s in data.samples] == ["train"] * 8 + ["validation"] * 4 + ["test"] * 16
    assert labels_of(data.samples[:4]).tolist() == [[1, -1, 0], [1, 0, 0], [0, 1, 1], [1, 0, 1]]
    assert shown_in(data.samples[:4]).sum(dim=1).tolist() == [2, 1, 2, 2]
    _, _, (dog, cat, person) = data.read(data.samples[2])
    # The difficult cat counts beside the other one.
    expected = np.zeros((40, 60), bool)
    expected[17:23, 33:40] = expected[0:4, 49:55] = True
    assert np.array_equal(cat > 0, expected)
    assert not dog.any()
    assert person.sum() == 54 * 38


def test_what_is_missing_or_unknown_is_named(place):
    with pytest.raises(DataNotFoundError, match="xaibench fetch voc07"):
        voc07(place / "nowhere")
    folder = place / "deep" / "VOCdevkit" / "VOC2007"
    path = folder / "Annotations" / "val03.xml"
    path.write_text(path.read_text().replace("dog", "wolf"))
    with pytest.raises(XaibenchError, match=r"val03\.xml: an object is called 'wolf'"):
        voc07(place)
    path.unlink()
    with pytest.raises(XaibenchError, match=r"val03\.xml: no such file"):
        voc07(place)


@pytest.mark.slow
def test_the_center_baseline_is_that_of_torchray(place):
    """TorchRay counts each class's hits and takes the mean over classes; here by hand.

    dog: hit, miss, miss of the three kinds of images that show it; cat: hit; person: hit, miss.
    Difficult are a dog that is hit and one that isn't, the cat, and the person in the corner.
    """
    xaibench.run(
        dataset=f"voc07[classes={'+'.join(CLASSES)}]", data_root=str(place), out=str(place / "out"),
        models=("small_resnet",), methods=("center",), controls=False, epochs=1, weights="none",
        metrics=("hit_rate[pixels=5,strict=true]", "hit_rate_difficult[pixels=5,strict=true]"),
        split="official", score_at="original", image_size=32, target="label", device="cpu",
        dependence=False,
    )  # fmt: skip
    scores = pd.read_csv(place / "out" / "scores.csv")
    hits = scores.pivot_table("value", "target", "metric").round(6)
    every, difficult = sorted(scores["metric"].unique(), key=len)
    assert hits[every].to_dict() == pytest.approx({"dog": 1 / 3, "cat": 1, "person": 0.5}, abs=1e-5)
    assert hits[difficult].to_dict() == {"dog": 0.5, "cat": 1, "person": 0}
    slices = pd.read_csv(place / "out" / "slices.csv")
    macro = slices[slices["part"] == "macro mean"].set_index("metric")["value"]
    assert macro[every] == pytest.approx(11 / 18)
    assert macro[difficult] == pytest.approx(0.5)
