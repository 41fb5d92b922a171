import numpy as np
import pandas as pd
import pytest
from frames import NAN, RUN, metric, predicted, rows_of, run_of, save, write_board

from xaibench.report.facts.material import Material
from xaibench.report.facts.section import sections
from xaibench.report.judging.slices import slices

COUNT = 30
VALUES = np.arange(COUNT) / 100
LABELS = np.array([0, 1, 1] * 10)
SAID = np.array([0, 1, 1, 0, 0, 1] * 5)
# The last nine have no mask.
SHARES = np.where(np.arange(COUNT) < 21, (np.arange(COUNT) + 1) / 100, 0.0)
LESIONS = np.where(SHARES > 0, 1 + (np.arange(COUNT) < 11), 0)


def slices_of(scores, predictions, run=RUN):
    material = Material.of(run, pd.DataFrame(scores), predictions)
    (section,) = sections(material)
    return slices(section, material)


@pytest.fixture
def predictions():
    return predicted(LABELS, SAID, mask_share=SHARES, regions=LESIONS, sure=0.5 + VALUES)


def of(found, name, part, **where):
    chosen = found[(found["slice"] == name) & (found["part"] == part)]
    for column, value in ({"metric": "iou", "method": "gradcam"} | where).items():
        chosen = chosen[chosen[column] == value]
    return chosen.iloc[0]


@pytest.mark.parametrize(
    ("name", "part", "inside"),
    [
        ("class", "benign", LABELS == 0),
        ("class", "malignant", LABELS == 1),
        ("prediction", "correct", LABELS == SAID),
        ("prediction", "wrong", LABELS != SAID),
        ("mask size", "small", (SHARES > 0) & (SHARES < 0.075)),
        ("mask size", "large", SHARES > 0.145),
        ("regions", "one", LESIONS == 1),
        ("regions", "several", LESIONS == 2),
        ("confidence", "low", np.arange(COUNT) < 10),
        ("confidence", "high", np.arange(COUNT) >= 20),
    ],
)
def test_a_part_holds_its_own_images(predictions, name, part, inside):
    scores = rows_of("gradcam", "iou", VALUES) + rows_of("gradcam", "drop", VALUES / 2)
    # Whatever the order of the files' lines.
    mixed = predictions.sample(frac=1, random_state=1)
    found = slices_of(pd.DataFrame(scores).sample(frac=1, random_state=2), mixed)
    row = of(found, name, part)
    assert row["n"] == row["groups"] == inside.sum()
    if inside.sum() < 10:
        assert np.isnan([row["value"], row["low"], row["high"]]).all()
        return
    assert row["value"] == pytest.approx(VALUES[inside].mean())
    assert row["low"] < row["value"] < row["high"]
    faithful = of(found, name, part, metric="drop")
    assert faithful["value"] == pytest.approx(VALUES[inside].mean() / 2)


def test_each_model_is_sliced_by_its_own_predictions():
    scores = rows_of("gradcam", "iou", VALUES) + rows_of("gradcam", "iou", VALUES, model="vgg16")
    predictions = pd.concat(
        [predicted(LABELS, LABELS), predicted(LABELS, 1 - LABELS, model="vgg16")]
    )
    found = slices_of(scores, predictions)
    right = found[(found["part"] == "correct") & (found["metric"] == "iou")].set_index("model")
    assert right["n"].to_dict() == {"resnet18": COUNT, "vgg16": 0}


def test_undefined_values_are_counted_apart_and_groups_decide_what_is_shown(predictions):
    values = np.where(np.arange(COUNT) % 3 == 1, NAN, VALUES)
    row = of(slices_of(rows_of("gradcam", "iou", values), predictions), "class", "malignant")
    assert (row["n"], row["undefined"]) == (10, 10)
    # Twenty malignant images of six groups are fewer than ten.
    grouped = predictions.assign(group=[f"g{index % 9}" for index in range(COUNT)])
    row = of(slices_of(rows_of("gradcam", "iou", VALUES), grouped), "class", "malignant")
    assert (row["n"], row["groups"]) == (20, 6)
    assert np.isnan(row["value"])


def test_pooled_estimands_and_runs_without_predictions_have_no_slices(predictions):
    pooled = run_of(metrics={"iou": metric(), "outside": metric(estimand="pooled")})
    scores = rows_of("gradcam", "iou", VALUES) + rows_of("gradcam", "outside", VALUES)
    assert set(slices_of(scores, predictions, pooled)["metric"]) == {"iou"}
    assert slices_of(scores, None, pooled).empty


def test_a_network_nobody_named_has_slices_of_images_only(predictions):
    unknown = predictions.assign(prediction=NAN, confidence_0=NAN, confidence_1=NAN)
    found = slices_of(rows_of("gradcam", "iou", VALUES), unknown)
    assert set(found["slice"]) == {"class", "mask size", "regions"}


def test_the_document_shows_parts_with_their_bounds_and_numbers(tmp_path, predictions):
    scores = rows_of("gradcam", "iou", VALUES) + rows_of("center", "iou", VALUES)
    folder = save(tmp_path, RUN, scores, predictions)
    write_board(folder)
    text = (folder / "leaderboard.md").read_text("utf-8")
    text = text[text.index("### Slices") : text.index("## Classification")]
    assert "- wrong: the row's own model is wrong; left out, 5 independent images are fewer" in text
    assert "Not by mask size: no part has 10 independent images." in text
    assert "- several: two or more connected regions" in text
    # Student's: 2.26 * 0.0908 / 10 ** 0.5 = 0.065.
    assert "| gradcam | resnet18 | 0.135 [0.07, 0.20] (n 10) | 0.150 [0.11, 0.19] (n 20) |" in text
    assert "center" not in text
    assert set(pd.read_csv(folder / "slices.csv")["method"]) == {"gradcam", "center"}
