import numpy as np
import pandas as pd
import pytest
from frames import NAN, RUN, SAID, board_of, metric, rows_of, run_of

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.material import Material
from xaibench.report.facts.section import sections
from xaibench.report.judging.judge import judge
from xaibench.stats.paired import holm, paired_test


@pytest.fixture
def scores():
    return pd.DataFrame(
        # Seed 1 has one map where seed 0 has three: 0.2, 0.4, 1.0 and the undefined one.
        rows_of("gradcam", "iou", [0.2, 0.4, NAN])
        + rows_of("gradcam", "iou", [1.0], seed=1)
        + rows_of("gradcam", "drop", [0.5, 0.5, 0.5])
        # One sample short, its maps constant: two metrics, and still two maps.
        + rows_of("rise[a=x|y]", "iou", [0.0, 0.0], status="constant map")
        + rows_of("rise[a=x|y]", "drop", [0.1, 0.3], status="constant map")
        + rows_of("spn", "iou", [NAN, NAN], status="empty mask", model="saliency_net")
        + rows_of("spn", "drop", [float("inf"), 0.2], model="saliency_net")
        + rows_of("center", "iou", [0.3, 0.3, 0.3])
        + rows_of("oracle", "iou", [1.0, 1.0, 1.0])
    )


def row(board, method):
    return board[board["method"] == method].iloc[0]


def test_means_count_every_map_once_and_the_undefined_apart(scores):
    found = row(board_of(scores), "gradcam")
    assert found["iou"] == pytest.approx(1.6 / 3)
    assert (found["iou_n"], found["iou_undefined"], found["iou_better"]) == (3, 1, "higher")
    # Two images, one of them under two seeds.
    assert found["iou_groups"] == 2
    assert (found["drop"], found["drop_n"], found["drop_better"]) == (0.5, 3, "lower")
    assert np.isnan(found["outside"])
    assert (found["outside_n"], found["outside_undefined"]) == (0, 0)
    assert found["outside_ties"] == ""


def test_nothing_defined_is_nan_and_infinity_is_undefined(scores):
    found = row(board_of(scores), "spn")
    assert np.isnan(found["iou"])
    assert np.isnan(found["iou_low"])
    assert (found["iou_n"], found["iou_undefined"]) == (0, 2)
    assert (found["drop"], found["drop_n"], found["drop_undefined"]) == (0.2, 1, 1)


def test_degenerate_maps_are_counted_once_for_all_metrics(scores):
    board = board_of(scores)
    assert row(board, "rise[a=x|y]")["degenerate_maps"] == 2
    assert row(board, "spn")["degenerate_maps"] == 0
    again = scores[scores["method"] == "rise[a=x|y]"].assign(seed=1, status="non-finite map")
    assert row(board_of(pd.concat([scores, again])), "rise[a=x|y]")["degenerate_maps"] == 4


def test_best_first_by_localization_unknown_last_controls_behind(scores):
    board = board_of(scores.sample(frac=1, random_state=0))
    assert board["method"].tolist() == ["gradcam", "rise[a=x|y]", "spn", "oracle", "center"]
    assert board["kind"].tolist() == ["method", "method", "learned", "control", "control"]


def test_ties_stand_in_the_order_of_names_and_lower_can_be_better():
    scores = (
        rows_of("spn", "outside", [0.1])
        + rows_of("gradcam", "outside", [0.2], model="vgg16")
        + rows_of("gradcam", "outside", [0.2], model="resnet18")
    )
    board = board_of(scores, run_of(metrics={"outside": metric(higher=False)}))
    assert list(zip(board["method"], board["model"], strict=True)) == [
        ("spn", "resnet18"),
        ("gradcam", "resnet18"),
        ("gradcam", "vgg16"),
    ]


def test_what_the_run_does_not_list_and_what_stands_there_twice_is_refused(scores):
    with pytest.raises(XaibenchError, match="'scorecam', but run"):
        board_of(scores.replace("spn", "scorecam"))
    with pytest.raises(XaibenchError, match="some drop of busi, holdout are there twice"):
        board_of(pd.concat([scores, scores[5:6]]))


def test_the_order_of_lines_changes_nothing(scores):
    mixed = scores.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(board_of(mixed), board_of(scores))


def simulated(images=60, seeds=1, noise=0.05):
    """gradcam and hirescam differ in no way that could be told; rise is worse by 0.1."""
    random = np.random.default_rng(5)
    lines = []
    for seed in range(seeds):
        base = random.uniform(0.3, 0.7, images)
        for method, gain in (("gradcam", 0.0), ("hirescam", 0.0), ("rise[a=x|y]", -0.1)):
            values = base + gain + random.normal(0, noise, images)
            lines += rows_of(method, "iou", values, seed=seed)
            lines += rows_of(method, "outside", values, seed=seed)
    return pd.DataFrame(lines)


@pytest.mark.parametrize("seeds", [1, 5])
def test_known_differences_get_letters_of_their_own_and_equals_share(seeds):
    board = board_of(simulated(seeds=seeds))
    letters = board.set_index("method")["iou_ties"]
    assert letters["gradcam"] == letters["hirescam"] == "a"
    assert letters["rise[a=x|y]"] == "b"
    assert board["method"].tolist()[-1] == "rise[a=x|y]"
    ranks = board.set_index("method")[["iou_rank_low", "iou_rank_high"]]
    assert ranks.loc["rise[a=x|y]"].tolist() == [3, 3]
    assert ranks.loc["gradcam"].tolist() == [1, 2]
    # Lower is better: the same values the other way round.
    turned = board.set_index("method")
    assert turned["outside_ties"].tolist() == ["b", "b", "a"]
    assert turned.loc["rise[a=x|y]", "outside_rank_high"] == 1


def test_intervals_hold_the_value_and_are_wider_where_images_belong_together():
    scores = simulated()
    alone = board_of(scores)
    assert ((alone["iou_low"] < alone["iou"]) & (alone["iou"] < alone["iou_high"])).all()
    samples = [f"s{index}" for index in range(60)]
    groups = {("busi", name): f"g{int(name[1:]) // 6}" for name in samples}
    # Images of one group that score alike are little more than one image.
    step = scores["sample"].str[1:].astype(int) // 6
    scores["value"] = 0.3 + 0.04 * step + 0.001 * (scores["value"] - 0.5)
    found = []
    for given in ({}, groups):
        material = Material.of(RUN, scores, groups=given)
        (section,) = sections(material)
        judged = judge(section, RUN)["iou"]
        found.append(judged.high[0] - judged.low[0])
        assert section.count_groups(section.values["iou"])[0] == (10 if given else 60)
    assert found[1] > 2 * found[0]


def test_trainings_may_differ_where_images_do_not():
    scores = rows_of("gradcam", "iou", [0.2] * 9) + rows_of("gradcam", "iou", [0.6] * 9, seed=1)
    found = board_of(scores).iloc[0]
    assert found["iou"] == pytest.approx(0.4)
    assert (found["iou_low"], found["iou_high"]) == (0, 1)


def test_a_map_that_is_missing_for_one_image_shifts_no_other():
    scores = simulated(images=20)
    lost = (scores["method"] == "hirescam") & (scores["sample"] == "s3")
    material = Material.of(RUN, scores[~lost])
    (section,) = sections(material)
    at = {row.method: place for place, row in enumerate(section.rows)}
    p = judge(section, RUN)["iou"].p
    by_name = scores[scores["metric"] == "iou"].pivot_table("value", "sample", "method")
    by_name.loc["s3", "hirescam"] = NAN
    nothing = np.zeros(20, int)
    pairs = [("gradcam", "hirescam"), ("gradcam", "rise[a=x|y]"), ("hirescam", "rise[a=x|y]")]
    expected = holm(
        [paired_test(by_name[a], by_name[b], by_name.index, nothing, nothing) for a, b in pairs]
    )
    for (one, other), value in zip(pairs, expected, strict=True):
        assert p[at[one], at[other]] == p[at[other], at[one]] == pytest.approx(value)
    assert section.values["iou"][:, at["hirescam"]][section.units["sample"] == "s3"].size == 1
    assert np.isnan(section.values["iou"][:, at["hirescam"]]).sum() == 1


def test_controls_and_metrics_that_never_rank_get_no_letters_and_no_ranks():
    scores = simulated().replace("rise[a=x|y]", "center")
    run = run_of(metrics={"iou": metric(), "outside": metric(ranked=False)})
    board = board_of(scores, run).set_index("method")
    assert board["outside_ties"].tolist() == ["", "", ""]
    assert board["outside_rank_high"].isna().all()
    assert (board["outside_low"] < board["outside"]).all()
    assert board["iou_ties"].tolist() == ["a", "a", ""]
    assert np.isnan(board.loc["center", "iou_rank_low"])


def test_intervals_end_at_the_metrics_bounds():
    scores = rows_of("gradcam", "iou", [0.0, 0.0, 0.01]) + rows_of("spn", "iou", [1.0, 1.0, 0.98])
    board = board_of(scores)
    assert board["iou_low"].min() == 0
    assert board["iou_high"].max() == 1
    open_ended = run_of(metrics={"iou": metric() | {"bounds": [None, None]}})
    assert board_of(scores, open_ended)["iou_low"].min() < 0


def test_skill_lies_between_the_best_blind_control_and_the_segmentation_network():
    methods = SAID["methods"] | {"segmentation": {"family": "learned", "blind": False}}
    run = run_of(methods=methods, models={"unet": {"all_masks": True}})
    scores = (
        rows_of("gradcam", "iou", [0.2, 0.4])
        + rows_of("gradcam", "drop", [0.3, 0.5])
        + rows_of("center", "iou", [0.1, 0.3])
        + rows_of("all_ones", "iou", [0.0, 0.1])
        + rows_of("center", "drop", [0.7, 0.9])
        + rows_of("oracle", "iou", [1.0, 1.0])
        + rows_of("segmentation", "iou", [0.5, 0.7], model="unet")
        + rows_of("segmentation", "drop", [0.1, 0.3], model="unet")
    )
    board = board_of(scores, run).set_index("method")
    assert board.loc["gradcam", "iou_skill"] == pytest.approx((0.3 - 0.2) / (0.6 - 0.2))
    assert board.loc["gradcam", "drop_skill"] == pytest.approx((0.4 - 0.8) / (0.2 - 0.8))
    # On a model without controls of its own any others will do.
    assert board.loc["segmentation", "iou_skill"] == pytest.approx(1)
    assert board.loc[["center", "oracle"], "iou_skill"].isna().all()
    without = board_of([line for line in scores if line["method"] != "segmentation"], run)
    assert without["iou_skill"].isna().all()
    # Under a budget it competes, and bounds nothing.
    budgeted = board_of(scores, run_of(methods=methods, models={"unet": {"all_masks": False}}))
    assert budgeted["iou_skill"].isna().all()


def test_who_has_learned_from_masks_says_from_how_many():
    scores = [
        *rows_of("gradcam", "iou", [0.5]),
        *rows_of("gradcam", "iou", [0.5], model="saliency_net"),
        *rows_of("center", "iou", [0.5], model="saliency_net"),
        *rows_of("spn", "iou", [0.5], model="saliency_net"),
        *rows_of("mine", "iou", [0.5]),
    ]
    own = {"mine": {"family": "learned", "blind": False, "mask_fraction": 0.5}}
    board = board_of(scores, run_of(methods=SAID["methods"] | own))
    found = board.set_index(["method", "model"])["mask_budget"].to_dict()
    assert {key: value for key, value in found.items() if not np.isnan(value)} == {
        ("mine", "resnet18"): 0.5,
        ("spn", "saliency_net"): 0.25,
        ("gradcam", "saliency_net"): 0.25,
    }


def test_costs_are_means_over_folds_and_seeds_and_memory_is_the_most():
    scores = rows_of("gradcam", "iou", [0.5]) + rows_of("spn", "iou", [0.4])
    keys = {"dataset": "busi", "split": "holdout", "model": "resnet18", "method": "gradcam"}
    costs = pd.DataFrame(
        [
            keys | {"fold": fold, "seed": 0, "seconds_per_image": seconds}
            | {"forwards_per_image": 3.0, "peak_memory_mb": memory}
            for fold, seconds, memory in ((0, 0.2, 500.0), (1, 0.4, NAN))
        ]
    )  # fmt: skip
    board = board_of(scores, costs=costs).set_index("method")
    names = ["seconds_per_image", "forwards_per_image", "peak_memory_mb"]
    assert board.loc["gradcam", names].tolist() == pytest.approx([0.3, 3, 500])
    assert board.loc["spn", names].isna().all()


def test_the_protocol_stands_in_every_row(scores):
    assert set(board_of(scores)["protocol"]) == {RUN.protocol_hash}
