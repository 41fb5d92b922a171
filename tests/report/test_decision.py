"""What accuracy and attention together allow one to conclude."""

import numpy as np
import pandas as pd
import pytest
from frames import NAN, RUN, metric, predicted, rows_of, run_of, save, write_board

from xaibench.report.facts.material import Material
from xaibench.report.facts.section import sections
from xaibench.report.judging.decision import conclude, decisions, judge_accuracy, judge_attention
from xaibench.stats.rates import wilson

LABELS = np.arange(40) % 2
GOOD, COIN = np.where(np.arange(40) < 3, 1 - LABELS, LABELS), np.zeros(40, int)
NOISE = np.linspace(-0.05, 0.05, 40)[np.random.default_rng(0).permutation(40)]


def attention(values, *, metric="iou", blind=0.3, **where):
    """Grad-CAM's scores beside those of a blind control."""
    return [
        *rows_of("gradcam", metric, values, **where),
        *rows_of("center", metric, blind + NOISE, **where),
    ]


def decide(scores, said, run=RUN, groups=None, **predictions):
    table = predicted(LABELS, said, **predictions)
    if groups is not None:
        table["group"] = groups
    material = Material.of(run, pd.DataFrame(scores), table)
    return pd.concat([decisions(section, material) for section in sections(material)])


@pytest.mark.parametrize(
    ("said", "values", "accuracy", "looks", "words"),
    [
        (GOOD, 0.5 - NOISE, "high", "right", "can be trusted"),
        (GOOD, 0.1 - NOISE, "high", "wrong", "shortcuts"),
        (GOOD, 0.3 - NOISE, "high", "not shown", "not shown to look at the evidence"),
        (COIN, 0.5 - NOISE, "not shown", "right", "not shown to classify"),
        (COIN, 0.3 - NOISE, "not shown", "not shown", "nothing is shown"),
        (1 - GOOD, 0.5 - NOISE, "low", "right", "looks at the right place"),
        (1 - GOOD, 0.1 - NOISE, "low", "wrong", "unusable"),
    ],
)
def test_each_side_is_judged_and_both_are_concluded_from(said, values, accuracy, looks, words):
    (row,) = decide(attention(values), said).to_dict("records")
    assert (row["accuracy_is"], row["attention_is"]) == (accuracy, looks)
    assert words in row["conclusion"]
    assert row["conclusion"] == conclude(accuracy, looks)
    assert (row["control"], row["metric"]) == ("center", "iou")
    assert row["control_value"] == pytest.approx(0.3)


def test_all_cases_say_something_and_no_two_the_same():
    attentions = ("right", "wrong", "not shown", "independent", "not measured")
    said = [conclude(a, b) for a in ("high", "low", "not shown") for b in attentions]
    assert len(set(said)) == 15


def changes(method, runner_up, random_layers, *, fold=0):
    return {"dataset": "busi", "split": "holdout", "fold": fold, "model": "resnet18", "seed": 0,
            "method": method, "seconds_per_image": 1.0, "forwards_per_image": 1.0,
            "peak_memory_mb": 1.0, "dependence_runner_up": runner_up,
            "dependence_random_layers": random_layers}  # fmt: skip


def test_a_map_that_does_not_change_with_the_decision_is_no_witness():
    """Of both changes the smaller counts, of several trainings the mean."""
    scores = [*attention(0.5 - NOISE), *rows_of("spn", "iou", 0.6 - NOISE)]
    costs = [changes("gradcam", 0.9, 0.02), changes("gradcam", 0.9, 0.1, fold=1),
             changes("spn", 0.9, 0.04), changes("spn", 0.9, 0.05, fold=1)]  # fmt: skip
    material = Material.of(RUN, pd.DataFrame(scores), predicted(LABELS, GOOD), pd.DataFrame(costs))
    (section,) = sections(material)
    found = decisions(section, material).set_index("method")
    assert found["dependence"].to_dict() == pytest.approx({"gradcam": 0.06, "spn": 0.045})
    assert found["attention_is"].to_dict() == {"gradcam": "right", "spn": "independent"}
    unmeasured = Material.of(RUN, pd.DataFrame(scores), predicted(LABELS, GOOD))
    found = decisions(section, unmeasured).set_index("method")
    assert found["attention_is"].to_dict() == {"gradcam": "right", "spn": "not measured"}


def test_accuracy_is_measured_against_the_commonest_class_and_not_against_a_half():
    labels = np.repeat([0, 1], [30, 10])
    table = predicted(labels, np.where(np.arange(40) < 8, 1, 0))  # 22 right of 40: below 30
    assert (table["label"] == table["prediction"]).sum() == 22
    material = Material.of(RUN, pd.DataFrame(attention(0.5 - NOISE)), table)
    (section,) = sections(material)
    (row,) = decisions(section, material).to_dict("records")
    assert (row["accuracy"], row["commonest_class"]) == (0.55, 0.75)
    assert (row["accuracy_low"], row["accuracy_high"]) == wilson(22, 40)
    assert row["accuracy_is"] == "low"


def test_an_interval_that_touches_the_commonest_class_shows_nothing():
    assert judge_accuracy(0.5, 0.9, 0.5) == judge_accuracy(0.1, 0.5, 0.5) == "not shown"
    assert judge_attention(0.2, NAN) == judge_attention(0.2, 0.05) == "not shown"


def test_near_duplicates_and_further_seeds_make_nobody_surer():
    said = np.where(np.arange(40) < 12, 1 - LABELS, LABELS)
    (alone,) = decide(attention(0.5 - NOISE), said).to_dict("records")
    assert (alone["groups"], alone["accuracy_is"]) == (40, "high")
    pairs = [f"pair {index // 4}" for index in range(40)]
    (grouped,) = decide(attention(0.5 - NOISE), said, groups=pairs).to_dict("records")
    assert (grouped["groups"], grouped["accuracy_is"]) == (10, "not shown")
    assert grouped["accuracy"] == alone["accuracy"] == 0.7
    scores = [*attention(0.5 - NOISE), *attention(0.5 - NOISE, seed=1)]
    table = pd.concat([predicted(LABELS, said), predicted(LABELS, said, seed=1)])
    material = Material.of(RUN, pd.DataFrame(scores), table)
    (section,) = sections(material)
    assert decisions(section, material)["groups"].tolist() == [40]


def test_lower_is_better_where_the_metric_says_so():
    run = run_of(metrics={"outside": metric(higher=False)})
    scores = attention(0.1 - NOISE, metric="outside")
    assert decide(scores, GOOD, run)["attention_is"].tolist() == ["right"]


@pytest.mark.parametrize(("top", "chosen"), [(1.0, "iou[threshold=0.3]"), (3.0, "hit_rate_graded")])
def test_layered_masks_are_judged_by_the_graded_hit(top, chosen):
    run = run_of(metrics={
        "coverage": metric(), "hit_rate_graded": metric(), "iou[threshold=0.3]": metric()
    })  # fmt: skip
    graded = np.where(np.arange(40) % 3 == 0, top, 0)
    scores = [
        *attention(0.5 - NOISE, metric="coverage"),
        *attention(0.5 - NOISE, metric="iou[threshold=0.3]"),
        *attention(graded, metric="hit_rate_graded"),
    ]
    assert decide(scores, GOOD, run)["metric"].tolist() == [chosen]


def test_without_a_blind_control_or_a_classifier_nothing_is_claimed():
    (row,) = decide(rows_of("gradcam", "iou", 0.5 - NOISE), GOOD).to_dict("records")
    assert (row["attention_is"], row["control"]) == ("not shown", "")
    assert decide(attention(0.5 - NOISE, model="autoencoder"), GOOD).empty
    assert decide(attention(0.5 - NOISE, metric="drop"), GOOD).empty


def test_the_report_groups_methods_of_one_conclusion(tmp_path):
    scores = [
        *attention(0.5 - NOISE),
        *rows_of("hirescam", "iou", 0.5 - NOISE / 2),
        *rows_of("rise[a=x|y]", "iou", 0.1 - NOISE),
    ]
    folder = save(tmp_path / "run", RUN, scores, predicted(LABELS, GOOD))
    write_board(folder)
    text = (folder / "leaderboard.md").read_text("utf-8")
    low, high = wilson(37, 40)
    accuracy = f"high: 0.925 [{low:.2f}, {high:.2f}], commonest class 0.500"
    assert (
        f"| resnet18 | {accuracy} | right | `hirescam`, `gradcam` | "
        "can be trusted, as far as these images go |"
    ) in text.replace("`gradcam`, `hirescam`", "`hirescam`, `gradcam`")
    assert f"| {accuracy} | wrong | `rise[a=x\\|y]` | right for other reasons" in text
    table = pd.read_csv(folder / "decisions.csv")
    assert len(table) == 3
    assert (table["protocol"] == RUN.protocol_hash).all()
