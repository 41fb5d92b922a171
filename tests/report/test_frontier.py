"""The supervision frontier on planted scores: minutes by hand, the front, crossing curves."""

import numpy as np
import pandas as pd
import pytest
from frames import predicted, rows_of, run_of, save

from xaibench.core.annotation import SECONDS, read_effort
from xaibench.core.errors import XaibenchError
from xaibench.report.study import read_study, rewrite_study, write_study
from xaibench.results.study_records import About, Arm

IMAGES, TRAINED = 60, 80
LABELS = np.arange(IMAGES) % 2
SHARES = (0.05, 0.1, 0.25, 0.5, 1.0)
NET, PLAIN = "saliency_net", "resnet18"


def law(count, ceiling=0.6, scale=0.9, power=0.6):
    return ceiling - scale * count**-power


def write_point(out, share, scores):
    learned = {"kind": "masks", "share": share} if share else {"kind": "labels", "share": 1.0}
    run = run_of(
        mask_fraction=share, splits={"holdout.csv": "x"}, supervision={NET: learned, PLAIN: {
            "kind": "labels", "share": 1.0}}, models={NET: {"paper": None}, PLAIN: {"paper": None}},
    )  # fmt: skip
    model = NET if share else PLAIN
    said = pd.concat([predicted(LABELS, LABELS, model=model, seed=seed) for seed in (0, 1, 2)])
    folder = save(out / f"{share:g}", run, scores, said)
    (folder / "splits").mkdir()
    names = [f"t{index}" for index in range(TRAINED)] + [f"s{index}" for index in range(IMAGES)]
    seen = round(share * TRAINED)
    pd.DataFrame({
        "sample": names, "class": "benign", "group": "",
        "part": ["train"] * TRAINED + ["test"] * IMAGES,
        "mask_seen": [index < seen for index in range(len(names))],
    }).to_csv(folder / "splits" / "holdout.csv", index=False)  # fmt: skip


def write_frontier(out, curve, post_hoc=0.4, seeds=(0, 1, 2)):
    """A plain network's Grad-CAM, and a learned map that follows a curve of the masks' number."""
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 0.05, IMAGES)  # some images are hard for all
    arms = [Arm("0", PLAIN, PLAIN, "0")]

    def told(method, mean, model):
        return [
            row
            for seed in seeds
            for row in rows_of(
                method, "iou", mean + hard + rng.normal(0, 0.02, IMAGES), seed=seed, model=model
            )
        ]

    write_point(out, 0, told("gradcam", post_hoc, PLAIN))
    for share in SHARES:
        write_point(out, share, told("spn", curve(share * TRAINED), NET))
        arms.append(Arm(f"{share:g}", NET, NET, f"{share:g}"))
    about = About("supervision", "What?", "xaibench study", ordered=True, seconds=dict(SECONDS))
    return write_study(out, arms, about)


@pytest.fixture(scope="module")
def rising(tmp_path_factory):
    out = tmp_path_factory.mktemp("frontier") / "out"
    out.mkdir()
    return out, write_frontier(out, law)


@pytest.mark.slow
def test_minutes_are_labels_of_all_images_and_masks_of_those_that_are_seen(rising):
    table = pd.read_csv(rising[0] / "frontier.csv").set_index("level")
    assert table.loc[0.0, ["origin", "annotated"]].tolist() == ["post-hoc", 0]
    assert table.loc[0.0, "minutes"] == pytest.approx(80 / 60)
    assert table.loc[0.25, ["origin", "annotated"]].tolist() == ["learned", 20]
    assert table.loc[0.25, "minutes"] == pytest.approx((80 * 1 + 20 * 79) / 60)
    # With 4 masks the curve reaches 0.21, with 8 0.34: dearer and worse than Grad-CAM for labels.
    assert table["on_front"].to_dict() == {0.0: True, 0.05: False, 0.1: False, 0.25: True,
                                           0.5: True, 1.0: True}  # fmt: skip
    assert (table.loc[[0.0, 1.0], "front_share"] > 0.95).all()
    assert (table["low"] < table["value"]).all()


@pytest.mark.slow
def test_the_crossing_is_the_planted_one_and_budgets_are_predicted_from_the_others(rising):
    out, answers = rising
    (line,) = pd.read_csv(out / "budgets.csv").to_dict("records")
    truth = (0.9 / 0.2) ** (1 / 0.6)  # where the law reaches 0.4
    assert line["overtakes_low"] <= truth <= line["overtakes_high"]
    assert line["overtakes_at"] == pytest.approx(truth, rel=0.15)
    assert line["overtakes_high"] < 20
    assert line["reference"] == "gradcam on resnet18"
    assert (line["held_out"], line["fewest"], line["most"]) == (5, 4, 80)
    assert line["held_error"] < 0.1
    assert answers[0].startswith("**iou**, `spn` on `saliency_net`: from about 1")
    assert "Each budget predicted from the others" in answers[0]
    text = (out / "study.md").read_text("utf-8")
    assert "## What annotation buys, by iou" in text
    assert (out / "frontier.svg").is_file()
    assert rewrite_study(out) == answers
    assert read_study(out).about.seconds == SECONDS


@pytest.mark.slow
def test_learned_from_masks_that_mislead_never_overtakes(tmp_path):
    answers = write_frontier(tmp_path, lambda count: 0.1 - 0.02 * np.log(count))
    (line,) = pd.read_csv(tmp_path / "budgets.csv").to_dict("records")
    assert line["overtakes_at"] == line["overtakes_low"] == np.inf
    assert line["scale"] == 0
    assert "it stays below the best post-hoc row" in answers[0]
    assert pd.read_csv(tmp_path / "frontier.csv")["on_front"].sum() == 1


@pytest.mark.slow
def test_a_network_that_uses_a_shortcut_is_overtaken_by_the_fewest_masks(tmp_path):
    answers = write_frontier(tmp_path, law, post_hoc=0.02)
    assert "with the fewest annotated images tried, 4, it has overtaken" in answers[0]


def test_seconds_of_a_unit_can_be_told():
    assert read_effort("mask=240,box=30.5") == {**SECONDS, "mask": 240, "box": 30.5}
    for wrong in ("masks=3", "mask=", "mask=0", "mask=nan", "label=inf"):
        with pytest.raises(XaibenchError, match=r"--effort"):
            read_effort(wrong)
